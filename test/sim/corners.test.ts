import { describe, expect, test, vi } from 'vitest';
import type { Operation, StatusView } from '../../node/core/operation.ts';
import { limits } from '../../node/core/settings.ts';
import { awaitSettled } from '../../sim/checkers/eventually-settled.ts';
import { counter } from '../../sim/counter.ts';
import { type Asked, World } from '../../sim/world.ts';
import { Cluster, settleWithinMs } from './cluster.ts';
import { jsonProgram } from './json-program.ts';

vi.setConfig({ testTimeout: 120_000 });

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function ask(world: World, node: string, operation: Operation, withinMs = 20_000): Asked {
  const asked = world.request(node, operation);
  world.runUntil(() => asked.state !== 'waiting', withinMs, `an answer to ${operation.type}`);
  return asked;
}

const resultOf = <T>(asked: Asked): T => (asked.outcome as unknown as { result: T }).result;
const codeOf = (asked: Asked): string => (asked.outcome?.ok === false ? asked.outcome.error.code : 'none');
const statusAt = (world: World, node: string): StatusView => resultOf(ask(world, node, { type: 'status' }));

const deployment = (name: string, agentType = 'counter'): Operation => ({
  type: 'deploy',
  agentType,
  source: 'simulated',
  name,
  count: 1,
  strategy: 'round_robin',
  capabilities: [],
  holders: 3,
});

/** Moves the agent away from the leader, if need be; returns its host. */
function hostOffLeader(cluster: Cluster, agent: string): string {
  const { world, leader } = cluster;
  if (cluster.hostOf(agent) === leader) {
    const target = world.nodes.find((node) => node !== leader) ?? '';
    ask(world, leader, { type: 'migrate', agent, target });
  }
  return cluster.hostOf(agent);
}

describe('members', () => {
  test('a newcomer that reads of old deaths does not cause its own', () => {
    for (const seed of ['a', 'b', 'c']) {
      const cluster = new Cluster(`old deaths ${seed}`).begin();
      const { world } = cluster;
      for (const node of world.nodes) {
        world.crash(node);
        world.runFor(3_000);
        world.restart(node);
        cluster.settle();
      }
      const added = world.addNode();
      world.runFor(8_000);
      const reports = world.reports.get('n1')?.filter(({ index, details }) => index > 0 && details['node'] === added);
      expect(reports?.map(({ kind }) => kind)).toEqual(['memberJoined']);
      cluster.finish();
    }
  });

  test('nine that found together have five voters', () => {
    const world = new World({ seed: 'nine', nodes: 9 });
    awaitSettled(world, [], settleWithinMs);
    world.runFor(10_000);
    expect(statusAt(world, 'n9').nodes.filter(({ voter }) => voter)).toHaveLength(5);
  });
});

describe('a cluster of one', () => {
  test('answers tasks after a long silence', () => {
    const cluster = new Cluster('alone', { nodes: 1 }, { agents: 1, clients: 1, holders: 1 }).begin();
    cluster.progress(5, 5_000);
    cluster.workload.stop();
    cluster.world.runFor(60_000);
    const { world } = cluster;
    expect(statusAt(world, 'n1').mode).toBe('quorum');
    const payload = encoder.encode('{"serial":1000000}');
    const task = ask(world, 'n1', { type: 'task', agent: 'counter', task: 'late', payload, ttlMs: 1_000 });
    expect(task.outcome?.ok).toBe(true);
  });
});

describe('a host that gives its agent up', () => {
  /** Has it fail so often, each time as soon as it has been started again: no task goes well in between. */
  const fail = (cluster: Cluster, agent: string, times: number, reason: string): void => {
    let failures = 0;
    for (let i = 0; i < 500 && failures < times; i++) {
      const instance = cluster.world.instances().find((one) => one.agent === agent);
      if (instance !== undefined) {
        cluster.world.host(instance.node).failAgent(agent, instance.epoch, reason);
        failures += 1;
      }
      cluster.world.runFor(10);
    }
    expect(failures).toBe(times);
  };

  const wasGivenUp = ({ world }: Cluster): boolean =>
    [...world.reports.values()].flat().some(({ text }) => text.includes('gave it up'));

  test('is heard by the next leader when there is none at that moment', () => {
    const cluster = new Cluster('given up', {}, { agents: 1 }).begin();
    const { world } = cluster;
    const [agent = ''] = cluster.agents;
    hostOffLeader(cluster, agent);
    const { leader } = cluster;
    fail(cluster, agent, 5, 'boom');
    // Before it is started for the last time.
    world.runFor(700);
    world.crash(leader);
    fail(cluster, agent, 1, 'boom');
    world.runFor(1_500);
    world.restart(leader);
    world.runFor(2_000);
    expect(wasGivenUp(cluster)).toBe(true);
    cluster.progress(10, 60_000, agent);
    cluster.finish();
  });

  test('is understood however long its reason is', () => {
    const cluster = new Cluster('long reason', {}, { agents: 1 }).begin();
    const [agent = ''] = cluster.agents;
    hostOffLeader(cluster, agent);
    fail(cluster, agent, 6, 'x'.repeat(3_000));
    cluster.world.runFor(2_000);
    expect(wasGivenUp(cluster)).toBe(true);
    cluster.progress(10, 60_000, agent);
    cluster.finish();
  });
});

describe('a task sent again', () => {
  const large = jsonProgram({ runs: 0 }, ({ runs }) => ({ state: { runs: runs + 1 }, value: 'x'.repeat(60_000) }));

  test('takes effect once also when its result is too old to be kept', () => {
    const world = new World({ seed: 'large results', nodes: 3, programs: { large } });
    awaitSettled(world, [], settleWithinMs);
    ask(world, 'n1', deployment('large', 'large'));
    const send = (task: string): Asked =>
      ask(world, 'n2', { type: 'task', agent: 'large', task, payload: encoder.encode('{}'), ttlMs: 10_000 });
    send('first');
    const others = Math.ceil(limits.resultsBytesMax / 60_000) + 2;
    for (let i = 0; i < others; i++) send(`other-${i}`);
    expect(codeOf(send('first'))).toBe('resultDropped');
    expect(send(`other-${others - 1}`).outcome?.ok).toBe(true);
    const runs = (): unknown =>
      JSON.parse(
        decoder.decode(
          resultOf<{ state: Uint8Array }>(ask(world, 'n3', { type: 'state', agent: 'large', ttlMs: 5_000 })).state,
        ),
      );
    expect(runs()).toEqual({ runs: others + 1 });
    const host = world.instances()[0]?.node ?? '';
    world.crash(host);
    const alive = world.running[0] ?? '';
    const again = ask(world, alive, {
      type: 'task',
      agent: 'large',
      task: 'first',
      payload: encoder.encode('{}'),
      ttlMs: 10_000,
    });
    expect(codeOf(again)).toBe('resultDropped');
  });

  test('may wait as long as it was told to, however often this node looks after it', () => {
    const cluster = new Cluster('long wait', {}, { agents: 1 }).begin();
    const { world } = cluster;
    const [agent = ''] = cluster.agents;
    const holders = resultOf<{ holders: string[] }>(ask(world, 'n1', { type: 'agent', agent })).holders;
    const asker = world.nodes.find((node) => !holders.includes(node)) ?? '';
    world.partition([holders.slice(0, 2)]);
    const asked = world.request(asker, {
      type: 'task',
      agent,
      task: 'patient',
      payload: encoder.encode('{"serial":1000000}'),
      ttlMs: 300_000,
    });
    world.runFor(150_000);
    expect(asked.state).toBe('waiting');
    world.heal();
    world.runUntil(() => asked.state !== 'waiting', 60_000, 'an answer');
    expect(asked.outcome?.ok).toBe(true);
  });
});

describe('a cut link', () => {
  test.each(['both ways', 'to the host', 'to the leader'])(
    'between the leader and a host, %s, moves the agents to where the leader is heard',
    (way) => {
      const cluster = new Cluster(`link ${way}`, {}, { agents: 1, ttlMs: 3_000 }).begin();
      const { world } = cluster;
      const [agent = ''] = cluster.agents;
      const host = hostOffLeader(cluster, agent);
      const { leader } = cluster;
      if (way !== 'to the leader') world.cut(leader, host);
      if (way !== 'to the host') world.cut(host, leader);
      world.runFor(2_000);
      cluster.progress(20, 30_000, agent);
      world.heal();
      cluster.finish();
    },
  );
});

describe('a deleted agent', () => {
  test.each([1, 3])('acknowledges nothing after its deletion was answered (%s holders)', (holders) => {
    for (let seed = 1; seed <= 12; seed++) {
      const world = new World({ seed: `deleted ${seed}`, nodes: 7, expect: 5, programs: { counter } });
      awaitSettled(world, [], settleWithinMs);
      const deploy = { ...deployment('c'), holders } as Operation;
      ask(world, 'n1', deploy);
      const leader = statusAt(world, 'n1').leader?.id ?? '';
      const target = world.nodes.find((node) => node !== leader) ?? '';
      ask(world, leader, { type: 'migrate', agent: 'c', target });
      const host = world.instances()[0]?.node ?? '';
      world.cut(leader, host);
      world.cut(host, leader);
      const deleted = ask(world, leader, { type: 'delete', agent: 'c' }, 15_000);
      expect(deleted.outcome?.ok).toBe(true);
      const task = world.request(host, {
        type: 'task',
        agent: 'c',
        task: 'late',
        payload: encoder.encode('{"serial":7}'),
        ttlMs: 2_000,
      });
      expect(ask(world, leader, deploy).outcome?.ok).toBe(true);
      world.runFor(3_000);
      world.heal();
      awaitSettled(world, ['c'], settleWithinMs);
      const state = resultOf<{ state: Uint8Array }>(
        ask(world, leader, { type: 'state', agent: 'c', ttlMs: 5_000 }),
      ).state;
      const counts = (JSON.parse(decoder.decode(state)) as { counts: Record<string, number> }).counts;
      expect(counts['7'] ?? 0).toBe(task.outcome?.ok === true ? 1 : 0);
    }
  });
});
