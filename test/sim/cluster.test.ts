import { describe, expect, test, vi } from 'vitest';
import type { StatusView } from '../../node/core/operation.ts';
import { awaitSettled } from '../../sim/checkers/eventually-settled.ts';
import type { FaultKind } from '../../sim/faults/catalog.ts';
import type { Strike } from '../../sim/plan.ts';
import { Random } from '../../sim/random.ts';
import { runPlan, runSeed } from '../../sim/run.ts';
import { Cluster, calmPlan, settleWithinMs } from './cluster.ts';

const seeds = (count: number, what: string): string[] => Array.from({ length: count }, (_, i) => `${what} ${i + 1}`);
/** More seeds on demand: SIM_SEEDS=200. A run of one takes about half a second. */
const seedCount = Number(process.env.SIM_SEEDS ?? 6);

vi.setConfig({ testTimeout: 60_000 + seedCount * 5_000 });

describe('founding', () => {
  test('five nodes that start at the same moment found one cluster, whatever the seed', () => {
    for (const seed of seeds(50, 'founding')) {
      const { world } = new Cluster(seed);
      awaitSettled(world, [], 10_000);
    }
  });

  test('five nodes that come one after the other found one cluster', () => {
    for (const seed of seeds(5, 'slow founding')) {
      const { world } = new Cluster(seed, { startSpreadMs: 20_000 });
      world.run(20_000);
      awaitSettled(world, [], 10_000);
    }
  });

  test('a founding that is cut in two goes on after the heal', () => {
    for (const seed of seeds(10, 'cut founding')) {
      const { world } = new Cluster(seed);
      world.run(world.random.fork('test').between(0, 700));
      const cut = world.partition([['n1', 'n2']]);
      world.runFor(3_000);
      world.mend(cut);
      awaitSettled(world, [], settleWithinMs);
    }
  });

  test('a founder that crashes at any moment leaves one cluster behind', () => {
    for (const seed of seeds(20, 'founder crash')) {
      const { world } = new Cluster(seed);
      const random = world.random.fork('test');
      world.run(random.between(300, 1_500));
      world.crash('n1');
      world.runFor(random.between(100, 3_000));
      world.restart('n1');
      awaitSettled(world, [], settleWithinMs);
    }
  });

  test('a node that comes later joins', () => {
    const cluster = new Cluster('joining').begin();
    const added = cluster.world.addNode();
    cluster.world.runFor(100);
    cluster.settle();
    expect(cluster.world.running).toContain(added);
    cluster.finish();
  });
});

describe('failures', () => {
  test('when the leader crashes another one leads soon, and no acknowledged task is lost', () => {
    const cluster = new Cluster('leader crash').begin();
    const { leader, world, term } = cluster;
    world.crash(leader);
    const tookMs = world.runUntil(() => cluster.term > term, 5_000, 'a new leader');
    expect(tookMs).toBeLessThan(2_000);
    cluster.progress(20, 10_000);
    world.restart(leader);
    cluster.finish();
  });

  test('a leader that is killed is declared dead, however often others were killed and came back before', () => {
    const cluster = new Cluster('leader after leader').begin();
    const { world } = cluster;
    for (let kill = 0; kill < 12; kill++) {
      const { leader } = cluster;
      const observer = world.nodes.find((node) => node !== leader) ?? '';
      world.crash(leader);
      const isDead = (): boolean => {
        const asked = world.request(observer, { type: 'status' });
        world.runFor(20);
        const { outcome } = asked;
        const view = outcome?.ok === true ? (outcome.result as StatusView) : undefined;
        return view?.nodes.find(({ id }) => id === leader)?.membership === 'dead';
      };
      const untilMs = world.nowMs + 3_000;
      while (!isDead()) if (world.nowMs > untilMs) throw world.failure(`nobody declares ${leader} dead`);
      world.restart(leader);
      cluster.settle();
    }
    cluster.finish();
  });

  test('when the host of an agent crashes the agent goes on elsewhere with its state', () => {
    const cluster = new Cluster('host crash').begin();
    const agent = cluster.agents[0] ?? '';
    const host = cluster.hostOf(agent);
    cluster.progress(10, 10_000, agent);
    cluster.world.crash(host);
    cluster.progress(10, 15_000, agent);
    expect(cluster.hostOf(agent)).not.toBe(host);
    cluster.world.restart(host);
    cluster.finish();
  });

  test('when the power of a host fails, which nobody is told, the agent goes on elsewhere', () => {
    const cluster = new Cluster('host power').begin();
    const agent = cluster.agents[0] ?? '';
    cluster.world.crash(cluster.hostOf(agent), 'silent');
    cluster.progress(10, 15_000, agent);
    cluster.finish();
  });

  test('when a host is lost with its disk the agent goes on from the other holders, and an empty node joins', () => {
    const cluster = new Cluster('host replaced').begin();
    const { world } = cluster;
    const agent = cluster.agents[0] ?? '';
    cluster.progress(10, 10_000, agent);
    const host = cluster.hostOf(agent);
    const heir = world.replace(host);
    cluster.progress(10, 15_000, agent);
    cluster.finish();
    expect(world.nodes).not.toContain(host);
    expect(world.running).toContain(heir);
  });

  test.each(['lost', 'held'] as const)(
    'a leader cut off with a minority is replaced, and joins in after the heal (frames %s)',
    (frames) => {
      // with all five as holders, the majority's side has a majority of every agent's holders
      const cluster = new Cluster(`cut ${frames}`, {}, { holders: 5, clients: 8, ttlMs: 1_000 }).begin();
      const { world, leader, term } = cluster;
      const other = world.nodes.find((node) => node !== leader) ?? '';
      const cut = world.partition([[leader, other]], frames);
      world.runUntil(() => cluster.term > term, 5_000, 'a new leader');
      for (const agent of cluster.agents) cluster.progress(10, 15_000, agent);
      for (const agent of cluster.agents) {
        const there = world
          .instances()
          .filter((one) => one.agent === agent && one.node !== leader && one.node !== other);
        expect(there).toHaveLength(1);
      }
      world.mend(cut);
      cluster.finish();
    },
  );

  test('an agent that lost sight of a majority of its holders waits, and answers after the heal', () => {
    const cluster = new Cluster('two holders cut', {}, { agents: 1 }).begin();
    const { world } = cluster;
    const host = cluster.hostOf('counter');
    const asked = world.request(host, { type: 'agent', agent: 'counter' });
    world.runFor(100);
    const { holders } = (asked.outcome as { result: { holders: string[] } }).result;
    expect(holders).toHaveLength(3);
    const cut = world.partition([holders.slice(0, 2)]);
    // those on their way may still be answered
    world.runFor(2_000);
    const before = cluster.acknowledged();
    world.runFor(15_000);
    expect(cluster.acknowledged()).toBe(before);
    world.mend(cut);
    cluster.progress(10, 15_000);
    cluster.finish();
  });

  test.each(['time goes on for its clock', 'its clock stands still, too'])(
    'a host that stood still for 15 s acknowledges nothing for an agent that moved on (%s)',
    (clock) => {
      const cluster = new Cluster('pause').begin();
      const agent = cluster.agents[0] ?? '';
      const host = cluster.hostOf(agent);
      cluster.world.pause(host, clock === 'its clock stands still, too');
      cluster.progress(10, 15_000, agent);
      cluster.world.runFor(15_000);
      cluster.world.resume(host);
      cluster.finish();
    },
  );

  test('after a loss of power everywhere the cluster stands up again with all agents', () => {
    const cluster = new Cluster('blackout').begin();
    const { world } = cluster;
    cluster.progress(20, 10_000);
    for (const node of world.nodes) world.crash(node, 'silent');
    world.runFor(3_000);
    for (const node of world.nodes) world.restart(node);
    cluster.finish();
  });

  test('an agent that crashes again and again loses no acknowledged task', () => {
    const cluster = new Cluster('agent crash').begin();
    const agent = cluster.agents[0] ?? '';
    for (let i = 0; i < 5; i++) {
      cluster.progress(5, 15_000, agent);
      for (const { node, epoch } of cluster.world.instances().filter((one) => one.agent === agent)) {
        cluster.world.host(node).failAgent(agent, epoch, 'the simulated agent crashed');
      }
    }
    cluster.finish();
  });
});

/** Short cuts and pauses, one soon after the other, and nothing else. */
function shortCuts(seed: string): Strike[] {
  const random = new Random(seed).fork('short cuts');
  const kinds: readonly FaultKind[] = ['partition', 'partition', 'pause', 'oneWay'];
  const strikes: Strike[] = [];
  for (let atMs = 0; atMs < 30_000; atMs += Math.round(random.between(1_500, 4_000))) {
    const lastsMs = Math.round(random.between(800, 3_000));
    strikes.push({ atMs, kind: random.pick(kinds), lastsMs, draw: random.below(2 ** 31) });
  }
  return strikes;
}

describe('random faults', () => {
  test.each(seeds(seedCount, 'faults'))('everything that must hold holds through a minute of them (%s)', (seed) => {
    const { violation, counts } = runSeed(seed, { minutes: 1 });
    expect(violation).toBeUndefined();
    // Few and slow clients, with faults from the start, get no further than that.
    expect(counts['acknowledged']).toBeGreaterThan(20);
  });

  test('hosts that come back just after they were replaced acknowledge nothing that is lost', () => {
    for (const seed of seeds(Math.ceil(seedCount / 2), 'short cuts')) {
      const workload = { clients: 8, ttlMs: 10_000, thinkMsMin: 20, thinkMsMax: 60 };
      const plan = calmPlan(seed, { workload, faultsMs: 30_000, strikes: shortCuts(seed) });
      expect(runPlan(plan).violation).toBeUndefined();
    }
  });
});
