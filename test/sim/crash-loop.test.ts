import { describe, expect, test, vi } from 'vitest';
import type { AgentView } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const agent = 'counter';

/** One agent that crashes as soon as it is started, for so long. */
function crashing(seed: string, forMs: number) {
  const cluster = new Cluster(seed, {}, { agents: 1 }).begin();
  const { world, leader } = cluster;
  cluster.progress(10, 10_000);
  const host = cluster.hostOf(agent);
  const [asked = ''] = world.nodes.filter((node) => node !== leader && node !== host);
  const endMs = world.nowMs + forMs;
  const crash = (): void => {
    for (const { node, epoch } of world.instances()) world.host(node).failAgent(agent, epoch, 'it crashed again');
    if (world.nowMs < endMs) world.timeline.after(5, crash);
  };
  crash();
  const view = (): AgentView => {
    const outcome = cluster.ask(asked, { type: 'agent', agent });
    if (!outcome.ok) throw world.failure(outcome.error.message);
    return outcome.result as AgentView;
  };
  return { cluster, world, view };
}

describe('an agent that fails again and again', () => {
  test('is shown so by any node, with how often, why, and when it is tried next', () => {
    const { world, view } = crashing('loop', 5_000);
    world.runUntil(() => view().status === 'crash_looping', 5_000, 'the crash loop');
    const { crashLoop } = view();
    expect(crashLoop).toMatchObject({ reason: 'it crashed again' });
    expect(crashLoop?.failures).toBeGreaterThanOrEqual(3);
    expect(crashLoop?.nextMs).toBeGreaterThan(crashLoop?.sinceMs ?? 0);
    world.runFor(2_500);
    expect(view().crashLoop?.failures).toBeGreaterThan(crashLoop?.failures ?? 0);
  });

  test('is started after longer and longer, and keeps the tasks that come meanwhile', () => {
    const { cluster, world } = crashing('kept', 3_000);
    const starts: number[] = [];
    world.watch({ did: (_node, { type }) => void (type === 'startAgent' && starts.push(world.nowMs)) });
    world.runFor(3_000);
    expect(starts.length).toBeLessThan(15);
    cluster.progress(20, 30_000, agent);
    cluster.finish();
  });

  test('heals by itself when a start holds', () => {
    const { cluster, world, view } = crashing('healed', 1_000);
    world.runUntil(() => view().status === 'crash_looping', 5_000, 'the crash loop');
    world.runUntil(() => view().status === 'active', 30_000, 'its end');
    expect(view().crashLoop).toBeUndefined();
    const told = [...world.reports.values()].flat().map(({ kind }) => kind);
    expect(told).toContain('agentHealed');
    cluster.finish();
  });

  test('waits no shorter under the next leader', () => {
    const { cluster, world, view } = crashing('wait goes on', 60_000);
    const longest = (): number =>
      Math.max(0, ...waits().map((text) => Number(/next try in (\d+) ms/.exec(text)?.[1] ?? 0)));
    const waits = (): string[] =>
      [...world.reports.values()].flat().flatMap(({ kind, text }) => (kind === 'agentCrashLooping' ? [text] : []));
    world.runUntil(() => longest() >= 4_000, 60_000, 'a long wait');
    const { leader } = cluster;
    const host = view().host ?? '';
    const before = view().crashLoop?.failures ?? 0;
    if (leader !== host) world.crash(leader, 'noticed');
    world.runUntil(() => (view().crashLoop?.placements ?? 0) > 5, 60_000, 'another placement');
    world.runUntil(() => (view().crashLoop?.failures ?? 0) > before + 1, 60_000, 'another failure');
    const { nextMs = 0 } = view().crashLoop ?? {};
    expect(nextMs - world.wallMs).toBeGreaterThan(2_000);
  });

  test('goes on from what the leader before counted', () => {
    const { cluster, world, view } = crashing('leader lost', 6_000);
    world.runUntil(() => view().status === 'crash_looping', 5_000, 'the crash loop');
    const before = view().crashLoop;
    const { leader } = cluster;
    world.crash(leader, 'noticed');
    world.runUntil(() => (view().crashLoop?.failures ?? 0) > (before?.failures ?? 0), 20_000, 'another failure');
    expect(view().crashLoop?.since).toBe(before?.since);
    world.restart(leader);
    world.runUntil(() => view().status === 'active', 60_000, 'its end');
    cluster.finish();
  });
});
