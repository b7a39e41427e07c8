import { describe, expect, test, vi } from 'vitest';
import type { AgentView, Operation, Outcome } from '../../node/core/operation.ts';
import type { TypeView } from '../../node/core/rollout-view.ts';
import { type CounterCode, sourceOf } from '../../sim/counter-code.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const agentType = 'counter';

const good: CounterCode = { serial: 1, migrates: true, reverses: true, breaks: undefined };

/** Three agents with busy clients. */
function begin(seed: string) {
  const cluster = new Cluster(seed, {}, { agents: 3 }).begin();
  const { world } = cluster;
  cluster.progress(10, 10_000);
  const [asked = ''] = world.nodes.filter((node) => node !== cluster.leader);
  const upgrade = (code: Partial<CounterCode>, rules: Partial<Operation> = {}): Outcome => {
    const source = sourceOf({ ...good, ...code });
    return cluster.ask(asked, {
      type: 'upgrade',
      agentType,
      source,
      settleMs: 300,
      maxFailures: 1,
      ...rules,
    } as Operation);
  };
  const view = (): TypeView => {
    const outcome = cluster.ask(asked, { type: 'agentType', agentType, consistency: 'leader' });
    if (!outcome.ok) throw world.failure(outcome.error.message);
    return outcome.result as TypeView;
  };
  const isOver = (): boolean => view().rollout === undefined;
  const over = (withinMs = 60_000): TypeView => {
    world.runUntil(isOver, withinMs, 'the end of the rollout');
    return view();
  };
  const versions = (): (number | undefined)[] =>
    cluster.agents.map((agent) => {
      const outcome = cluster.ask(asked, { type: 'agent', agent, consistency: 'leader' });
      return outcome.ok ? (outcome.result as AgentView).version : undefined;
    });
  return { cluster, world, asked, upgrade, view, over, versions };
}

/** Refusals that clients were given meanwhile, but for those that they try again. */
function refusals(world: Cluster['world']): string[] {
  const codes: string[] = [];
  world.watch({
    answered(_node, _request, { type }, outcome) {
      if (type === 'task' && !outcome.ok) codes.push(outcome.error.code);
    },
  });
  return codes;
}

describe('a new version', () => {
  test('comes to one agent after the other, and no task is refused', () => {
    const { cluster, world, upgrade, view, over, versions } = begin('upgrade');
    const codes = refusals(world);
    expect(upgrade({})).toMatchObject({
      ok: true,
      result: { type: { rollout: { from: 1, to: 2, phase: 'forward' } } },
    });
    const seen = new Set<string>();
    while (view().rollout !== undefined) {
      const counts = view().rollout?.counts ?? {};
      expect((counts.upgrading ?? 0) + (counts.settling ?? 0)).toBeLessThanOrEqual(1);
      for (const progress of Object.keys(counts)) seen.add(progress);
      world.runFor(7);
    }
    expect([...seen].sort()).toEqual(['pending', 'settling', 'upgraded', 'upgrading']);
    expect(over()).toMatchObject({ version: 2, previous: 1, rolloutEnd: { outcome: 'complete' } });
    expect(versions()).toEqual([2, 2, 2]);
    expect(codes).toEqual([]);
    cluster.progress(20, 10_000);
    cluster.finish();
  });

  test.each(['start', 'migrate'] as const)('that is broken at its %s leaves the agents as they were', (breaks) => {
    const { cluster, upgrade, over, versions } = begin(`broken ${breaks}`);
    upgrade({ breaks });
    expect(over()).toMatchObject({
      version: 1,
      rolloutEnd: { outcome: 'rolledBack', reason: expect.stringMatching(/broken/), stays: [] },
    });
    expect(versions()).toEqual([1, 1, 1]);
    cluster.progress(20, 20_000);
    cluster.finish();
  });

  test('that crashes over tasks goes back, with what it had done', () => {
    const { cluster, world, upgrade, over, versions } = begin('broken later');
    const back: unknown[] = [];
    world.watch({ did: (_node, effect) => void (effect.type === 'startAgent' && back.push(effect.change?.newer)) });
    upgrade({ breaks: 'later' }, { settleMs: 20_000, maxFailures: 0 } as Partial<Operation>);
    expect(over()).toMatchObject({
      version: 1,
      rolloutEnd: { outcome: 'rolledBack', failed: expect.any(String), stays: [] },
    });
    expect(back.filter((newer) => newer !== undefined).length).toBeGreaterThan(0);
    expect(versions()).toEqual([1, 1, 1]);
    cluster.progress(20, 20_000);
    cluster.finish();
  });

  test('that refuses every task goes back after three of them, and says why', () => {
    const { cluster, upgrade, over, versions } = begin('refuses');
    upgrade({ breaks: 'refuses' }, { settleMs: 20_000 } as Partial<Operation>);
    expect(over()).toMatchObject({
      version: 1,
      rolloutEnd: {
        outcome: 'rolledBack',
        reason: 'it refused all 3 tasks that it was given: it takes no task',
        stays: [],
      },
    });
    expect(versions()).toEqual([1, 1, 1]);
    cluster.progress(20, 20_000);
    cluster.finish();
  });

  test('that refuses every task goes back when it was given fewer, and holds where there was none', () => {
    const { cluster, world, upgrade, over, view, versions } = begin('refuses few');
    cluster.workload.stop();
    world.runUntil(() => cluster.workload.drained, 20_000, 'an answer to every task');
    upgrade({ breaks: 'refuses' }, { settleMs: 2_000 } as Partial<Operation>);
    world.runUntil(() => view().rollout?.counts.upgraded === 2, 60_000, 'two that hold');
    const last = cluster.agents[versions().indexOf(1)] ?? '';
    world.runUntil(() => versions().every((version) => version === 2), 20_000, 'the last one');
    const payload = new TextEncoder().encode('{"serial":9000001}');
    const asked = { type: 'task', agent: last, task: 'late', payload, ttlMs: 2_000 } as const;
    expect(cluster.ask(cluster.leader, asked)).toMatchObject({ ok: false, error: { code: 'taskFailed' } });
    expect(over().rolloutEnd).toMatchObject({
      outcome: 'rolledBack',
      failed: last,
      reason: 'it refused the one task that it was given: it takes no task',
    });
    expect(versions()).toEqual([1, 1, 1]);
    cluster.finish();
  });

  test('that has no way back stays where it has worked, and says so', () => {
    const { cluster, upgrade, over, versions } = begin('no way back');
    upgrade({ breaks: 'later', reverses: false }, { settleMs: 20_000, maxFailures: 0 } as Partial<Operation>);
    const { rolloutEnd } = over();
    expect(rolloutEnd).toMatchObject({ outcome: 'rolledBack' });
    expect(rolloutEnd?.stays).toMatchObject([
      { agent: rolloutEnd?.failed, reason: expect.stringMatching(/no way back/) },
    ]);
    expect(versions().filter((version) => version === 2)).toHaveLength(1);
    cluster.progress(20, 20_000);
  });

  test('that has no way back is given once more to an agent that did not answer with the version before', () => {
    const { cluster, world, asked, upgrade, view, over, versions } = begin('away on its way back');
    upgrade({ reverses: false }, { settleMs: 20_000 } as Partial<Operation>);
    world.runUntil(() => versions().includes(2), 20_000, 'the first upgraded agent');
    const agent = cluster.agents[versions().indexOf(2)] ?? '';
    const outcome = cluster.ask(asked, { type: 'agent', agent, consistency: 'leader' });
    const { holders = [] } = outcome.ok ? (outcome.result as AgentView) : {};
    const down = holders.filter((holder) => holder !== asked).slice(0, 2);
    expect(down).toHaveLength(2);
    let isPlaced = false;
    world.watch({
      reported(_node, { kind, details }) {
        if (isPlaced || kind !== 'agentPlaced' || details['agent'] !== agent || details['version'] !== 1) return;
        isPlaced = true;
        for (const each of down) world.crash(each);
      },
    });
    cluster.ask(asked, { type: 'cancelUpgrade', agentType });
    expect(over(150_000)).toMatchObject({ rolloutEnd: { outcome: 'rolledBack' } });
    expect(isPlaced).toBe(true);
    expect(view().rolloutEnd?.left?.map((left) => left.agent)).toContain(agent);
    for (const each of down) world.restart(each);
    cluster.progress(20, 60_000);
    expect(versions()[cluster.agents.indexOf(agent)]).toBe(2);
    cluster.finish();
  });

  test('is taken back by an operator, and may be rolled out again', () => {
    const { cluster, world, upgrade, over, versions } = begin('cancelled');
    upgrade({}, { settleMs: 2_000 } as Partial<Operation>);
    world.runUntil(() => versions().includes(2), 20_000, 'the first upgraded agent');
    cluster.progress(10, 10_000);
    const [node = ''] = world.nodes;
    expect(cluster.ask(node, { type: 'cancelUpgrade', agentType })).toMatchObject({ ok: true });
    expect(over()).toMatchObject({
      rolloutEnd: { outcome: 'rolledBack', reason: 'an operator cancelled it', stays: [] },
    });
    expect(versions()).toEqual([1, 1, 1]);
    upgrade({});
    expect(over()).toMatchObject({ version: 3, rolloutEnd: { outcome: 'complete' } });
    cluster.finish();
  });

  test('is rolled out further by the next leader', () => {
    const { cluster, world, upgrade, over, versions } = begin('leader lost');
    upgrade({}, { settleMs: 1_000 } as Partial<Operation>);
    world.runUntil(() => versions().includes(2), 20_000, 'the first upgraded agent');
    const { leader } = cluster;
    world.crash(leader, 'noticed');
    world.runFor(2_000);
    world.restart(leader);
    expect(over()).toMatchObject({ version: 2, rolloutEnd: { outcome: 'complete' } });
    expect(versions()).toEqual([2, 2, 2]);
    cluster.finish();
  });

  test('does not stay open for an agent that nobody can recover, which keeps its version', () => {
    const { cluster, world, asked, upgrade, view, over, versions } = begin('one is lost');
    const seen = (agent: string): AgentView => {
      const outcome = cluster.ask(asked, { type: 'agent', agent, consistency: 'leader' });
      if (!outcome.ok) throw world.failure(outcome.error.message);
      return outcome.result as AgentView;
    };
    const idle = (agent: string): string[] =>
      seen(agent).holders.filter((holder) => holder !== cluster.leader && holder !== asked);
    const lost = cluster.agents.find((agent) => idle(agent).length >= 2) ?? '';
    const down = idle(lost).slice(0, 2);
    for (const each of down) world.crash(each);
    world.runFor(20_000);
    const stuck = cluster.agents.filter((agent) => seen(agent).stuck !== undefined);
    expect(stuck).toContain(lost);
    expect(upgrade({})).toMatchObject({ ok: true });
    expect(over(150_000).rolloutEnd).toMatchObject({ outcome: 'complete' });
    expect(view().rolloutEnd?.left?.map(({ agent }) => agent)).toEqual(stuck);
    expect(view().rolloutEnd?.left?.[0]?.reason).toBe('most of its holders are missing');
    expect(versions()).toEqual(cluster.agents.map((agent) => (stuck.includes(agent) ? 1 : 2)));
    for (const each of down) world.restart(each);
    cluster.finish();
  });

  test('stays the version of an agent that is recovered while it is watched', () => {
    const { cluster, world, upgrade, over, versions } = begin('host lost');
    upgrade({}, { settleMs: 3_000 } as Partial<Operation>);
    world.runUntil(() => versions().includes(2), 20_000, 'the first upgraded agent');
    const agent = cluster.agents[versions().indexOf(2)] ?? '';
    const host = cluster.hostOf(agent);
    world.crash(host, 'noticed');
    world.runUntil(() => world.instances().some((one) => one.agent === agent), 30_000, 'its recovery');
    expect(versions()[cluster.agents.indexOf(agent)]).toBe(2);
    world.restart(host);
    expect(over()).toMatchObject({ rolloutEnd: { outcome: 'complete' } });
    cluster.finish();
  });

  test('mends an agent that fails again and again, which nothing could be prepared for', () => {
    const { cluster, world, upgrade, over, versions } = begin('mended');
    const [agent = ''] = cluster.agents;
    let isMended = false;
    const crash = (): void => {
      for (const { node, agent: id, epoch } of world.instances()) {
        const placed = cluster.simulation.ledger.placement(id, epoch);
        if (id === agent && placed?.version === 1) world.host(node).failAgent(agent, epoch, 'it crashed again');
      }
      if (!isMended) world.timeline.after(5, crash);
    };
    crash();
    world.runFor(1_500);
    upgrade({});
    expect(over(90_000)).toMatchObject({ rolloutEnd: { outcome: 'complete' } });
    isMended = true;
    expect(versions()).toEqual([2, 2, 2]);
    cluster.progress(10, 20_000, agent);
    cluster.finish();
  });
});
