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
    const { cluster, world } = crashing('wait goes on', 120_000);
    const waits = (): Map<number, number> => {
      const found = new Map<number, number>();
      for (const { kind, details } of [...world.reports.values()].flat()) {
        if (kind === 'agentCrashLooping') found.set(Number(details.failures), Number(details.retryInMs));
      }
      return found;
    };
    const longest = (from: number): number => Math.max(0, ...[...waits()].map(([n, ms]) => (n > from ? ms : 0)));
    world.runUntil(() => longest(0) >= 3_900, 60_000, 'a long wait');
    const before = Math.max(...waits().keys());
    world.crash(cluster.leader, 'noticed');
    // What a host waits for by itself is less than two seconds.
    world.runUntil(() => waits().has(before + 2), 60_000, 'two more failures');
    expect(longest(before)).toBeGreaterThan(3_900);
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
