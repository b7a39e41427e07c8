import { describe, expect, test, vi } from 'vitest';
import type { NodeView, Operation, StatusView } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const statusOf = (cluster: Cluster, at: string): StatusView => {
  const outcome = cluster.ask(at, { type: 'status', consistency: 'leader' });
  if (!outcome.ok) throw cluster.world.failure(outcome.error.message);
  return outcome.result as StatusView;
};

const viewOf = (cluster: Cluster, node: string): NodeView =>
  statusOf(cluster, cluster.world.running.find((one) => one !== node) ?? '').nodes.find(
    ({ id }) => id === node,
  ) as NodeView;

function until(cluster: Cluster, what: string, isTrue: () => boolean, withinMs = 20_000): void {
  const { world } = cluster;
  const endMs = world.nowMs + withinMs;
  while (!isTrue()) {
    if (world.nowMs > endMs) throw world.failure(`not within ${withinMs} ms: ${what}`);
    world.runFor(100);
  }
}

const untilDone = (cluster: Cluster, node: string): void =>
  until(cluster, `${node} is drained`, () => viewOf(cluster, node).drain?.done === true);

const told = (cluster: Cluster, kind: string): string[] => {
  const reports = [...cluster.world.reports.values()].flat().filter((report) => report.kind === kind);
  return [...new Set(reports.map(({ text }) => text))];
};

const picky: Operation = {
  ...{ type: 'deploy', agentType: 'counter', name: 'picky', count: 1, strategy: 'least_loaded' },
  ...{ capabilities: ['gpu>=2'], holders: 3 },
};

/** The agent that needs what every other node has, and the only node that may take it. */
function withPicky(seed: string): { cluster: Cluster; host: string; asked: string } {
  const cluster = new Cluster(seed).begin();
  const [gpu1 = '', without = '', gpu2 = '', , gpu3 = ''] = cluster.world.nodes;
  expect(cluster.ask(without, picky)).toMatchObject({ ok: true });
  for (const node of [gpu2, gpu3]) expect(cluster.ask(without, { type: 'drain', node })).toMatchObject({ ok: true });
  until(cluster, 'the agent is on the first', () => cluster.hostOf('picky') === gpu1);
  return { cluster, host: gpu1, asked: without };
}

describe('a node that an operator drains', () => {
  test('gives its agents, their states and its leadership to others while tasks flow, and takes them again when it is undone', () => {
    const cluster = new Cluster('drain').begin();
    const { world, leader } = cluster;
    const [other = ''] = world.nodes.filter((node) => node !== leader);
    expect(cluster.ask(other, { type: 'migrate', agent: cluster.agents[0] ?? '', target: leader }).ok).toBe(true);
    const drained = cluster.ask(other, { type: 'drain', node: leader });
    expect(drained).toMatchObject({
      ok: true,
      result: { node: { id: leader, status: 'draining', drain: { done: false } } },
    });
    untilDone(cluster, leader);
    const view = viewOf(cluster, leader);
    expect(view).toMatchObject({ leader: false, agents: 0, drain: { agents: 0, states: 0, waitsFor: [] } });
    expect(world.instances().filter(({ node }) => node === leader)).toEqual([]);
    for (const { holders } of statusOf(cluster, other).agents) expect(holders).not.toContain(leader);
    // All five vote, and there is no sixth.
    expect(view.drain?.kept.join()).toMatch(/its vote, because no other node can take it; 4 others/);
    const refused = cluster.ask(other, { type: 'migrate', agent: cluster.agents[0] ?? '', target: leader });
    expect(refused).toMatchObject({
      ok: false,
      error: { code: 'nodeNotEligible', message: expect.stringMatching(/draining/) },
    });
    cluster.progress(20, 10_000);

    // Whether it is switched off makes no difference to anybody.
    world.crash(leader);
    world.restart(leader);
    until(cluster, 'it is back, and drains', () =>
      told(cluster, 'memberJoined').includes(`${leader} joined, and is drained as before`),
    );
    until(cluster, 'it is reached again', () => viewOf(cluster, leader).status === 'draining');
    expect(cluster.ask(other, { type: 'undrain', node: leader })).toMatchObject({ ok: true });
    expect(viewOf(cluster, leader)).toMatchObject({ status: 'active', drain: undefined });
    expect(cluster.ask(other, { type: 'migrate', agent: cluster.agents[0] ?? '', target: leader }).ok).toBe(true);
    expect(cluster.ask(other, { type: 'undrain', node: leader })).toMatchObject({ ok: true });
    cluster.finish();
  });

  test('gives its vote to another, and at no moment are there fewer voters', () => {
    const cluster = new Cluster('votes', { nodes: 6 }).begin();
    const { world } = cluster;
    until(cluster, 'five vote', () => statusOf(cluster, 'n1').nodes.filter(({ voter }) => voter).length === 5);
    const voter = statusOf(cluster, 'n1').nodes.find((node) => node.voter && !node.leader)?.id ?? '';
    expect(cluster.ask('n1', { type: 'drain', node: voter })).toMatchObject({ ok: true });
    const counts = new Set<number>();
    until(cluster, 'it is done', () => {
      counts.add(cluster.simulation.ledger.voters.length);
      return viewOf(cluster, voter).drain?.done === true;
    });
    expect([...counts].every((count) => count >= 5)).toBe(true);
    expect(viewOf(cluster, voter)).toMatchObject({ voter: false, drain: { kept: [] } });
    expect(world.nodes.filter((node) => cluster.simulation.ledger.voters.includes(node))).toHaveLength(5);
    cluster.ask('n1', { type: 'undrain', node: voter });
    cluster.finish();
  });

  test('goes on under the next leader when the leader dies in the midst of it', () => {
    const cluster = new Cluster('leader dies', {}, { agents: 4 }).begin();
    const { world, leader } = cluster;
    const node = world.nodes.find((one) => one !== leader) ?? '';
    cluster.ask(node, { type: 'drain', node });
    world.crash(leader);
    untilDone(cluster, node);
    expect(world.instances().filter((one) => one.node === node)).toEqual([]);
    world.restart(leader);
    cluster.ask(node, { type: 'undrain', node });
    cluster.finish();
  });

  test('says what it waits for, also when its deadline passes; the agent goes on where it is', () => {
    const { cluster, host, asked } = withPicky('stuck');
    cluster.ask(asked, { type: 'drain', node: host, deadlineMs: 2_000 });
    until(cluster, 'it is overdue', () => viewOf(cluster, host).drain?.overdue === true);
    const { drain } = viewOf(cluster, host);
    expect(drain).toMatchObject({ done: false, agents: 1 });
    const why = drain?.waitsFor.find((one) => one.startsWith('agent picky')) ?? '';
    expect(why).toMatch(/^agent picky: no other node can take it: /);
    expect(why).toMatch(/n2 lacks capability gpu>=2/);
    expect(why).toMatch(/n3 is draining/);
    expect(told(cluster, 'drainOverdue').join()).toMatch(/n1 was not drained in time: .*agent picky/);
    expect(cluster.hostOf('picky')).toBe(host);
    cluster.ask(asked, { type: 'undrain', node: 'n3' });
    untilDone(cluster, host);
    expect(cluster.hostOf('picky')).toBe('n3');
    for (const node of [host, 'n5']) cluster.ask(asked, { type: 'undrain', node });
    expect(cluster.ask(asked, { type: 'delete', agent: 'picky' }).ok).toBe(true);
    cluster.finish();
  });
});

describe('the agents of a node that drains', () => {
  test('are spread over equal nodes, and each says why it went where it is', () => {
    const cluster = new Cluster('spread', { nodes: 3 }, { agents: 12 }).begin();
    const { world, leader } = cluster;
    const [node = '', other = ''] = world.nodes.filter((one) => one !== leader);
    cluster.ask(other, { type: 'drain', node });
    untilDone(cluster, node);
    const { agents } = statusOf(cluster, other);
    const moved = agents.filter(({ reason }) => reason === `its host ${node} is drained`);
    expect(moved.length).toBeGreaterThan(1);
    const counts = [leader, other].map((host) => agents.filter((agent) => agent.host === host).length);
    expect(counts).toEqual([6, 6]);
    for (const { host, decision } of moved) expect(decision?.ranked[0]?.node).toBe(host);
    cluster.ask(other, { type: 'undrain', node });
    cluster.finish();
  });

  test.each([3, 5])('do not wait for one among them that never runs, of %i nodes', (nodes) => {
    const cluster = new Cluster(`bad ${nodes}`, { nodes }, { agents: 3 }).begin();
    const { world, leader } = cluster;
    const bad: Operation = {
      ...{ type: 'deploy', agentType: 'counter', name: 'bad', count: 1, strategy: 'least_loaded' },
      ...{ capabilities: [], holders: 3 },
    };
    const fail = (): void => {
      for (const { node, agent, epoch } of world.instances()) {
        if (agent === 'bad') world.host(node).failAgent('bad', epoch, 'it cannot start');
      }
      if (!isOver) world.timeline.after(1, fail);
    };
    let isOver = false;
    fail();
    expect(cluster.ask(leader, bad)).toMatchObject({ ok: true });
    const { agents } = cluster.simulation.ledger;
    const holds = (one: string): boolean => agents.get('bad')?.placement?.holders.includes(one) === true;
    until(cluster, 'it waits long', () => (told(cluster, 'agentCrashLooping').at(-1) ?? '').includes('6 times'));
    const node = world.nodes.find((one) => one !== leader && holds(one)) ?? '';
    const asked = world.nodes.find((one) => one !== node) ?? '';
    cluster.ask(asked, { type: 'drain', node });
    until(cluster, `${node} is drained`, () => viewOf(cluster, node).drain?.done === true, 4_000);
    expect(agents.get('bad')?.active).toBeUndefined();
    expect(agents.get('bad')?.placement?.host).not.toBe(node);
    isOver = true;
    cluster.ask(asked, { type: 'undrain', node });
    expect(cluster.ask(asked, { type: 'delete', agent: 'bad' }).ok).toBe(true);
    cluster.finish();
  });
});

describe('a node that is asked to stop', () => {
  test('is drained first, and leaves with nothing left', () => {
    const cluster = new Cluster('stops').begin();
    const { world } = cluster;
    const node = cluster.hostOf(cluster.agents[0] ?? '');
    world.stop(node);
    world.runUntil(() => world.host(node).state === 'off', 5_000, `${node} is gone`);
    expect(world.exits.at(-1)).toMatchObject({ node, code: 0, reason: 'it left' });
    expect(told(cluster, 'drainDone')).toEqual([expect.stringMatching(`^${node} is drained`)]);
    expect(told(cluster, 'memberDead')).toEqual([]);
    world.restart(node);
    cluster.settle();
    // What asked it to stop is over with that start.
    expect(viewOf(cluster, node)).toMatchObject({ status: 'active', drain: undefined });
    cluster.finish();
  });

  test('does not stop when that is undone, and says both what it waits for and that it stays', () => {
    const { cluster, host, asked } = withPicky('stop undone');
    cluster.world.stop(host);
    until(
      cluster,
      'it says what it waits for',
      () => told(cluster, 'stopWaits').some((text) => /agent picky/.test(text)),
      4_000,
    );
    expect(cluster.ask(asked, { type: 'undrain', node: host })).toMatchObject({ ok: true });
    cluster.world.runFor(15_000);
    expect(cluster.world.host(host).state).toBe('running');
    expect(told(cluster, 'stopUndone')).toHaveLength(1);
    expect(cluster.hostOf('picky')).toBe(host);
    for (const node of ['n3', 'n5']) cluster.ask(asked, { type: 'undrain', node });
    expect(cluster.ask(asked, { type: 'delete', agent: 'picky' }).ok).toBe(true);
    cluster.finish();
  });

  test('leaves after its deadline with what nobody can take; asked a second time, at once', () => {
    const { cluster, host } = withPicky('stop overdue');
    const { world } = cluster;
    const stop = (): number => {
      const askedMs = world.nowMs;
      world.stop(host);
      world.runUntil(() => world.host(host).state === 'off', 9_000, `${host} is gone`);
      return world.nowMs - askedMs;
    };
    expect(stop()).toBeGreaterThan(5_900);
    world.restart(host);
    until(cluster, 'it is back', () => viewOf(cluster, host).status === 'active');
    world.stop(host);
    world.runFor(300);
    expect(stop()).toBeLessThan(10);
    expect(world.exits.at(-1)?.reason).toMatch(/a second time/);
  });

  test('waits for nobody when all are asked to', () => {
    const cluster = new Cluster('all stop').begin();
    const { world } = cluster;
    for (const node of world.nodes) world.stop(node);
    world.runUntil(() => world.nodes.every((node) => world.host(node).state === 'off'), 3_000, 'all are gone');
    for (const node of world.nodes) world.restart(node);
    cluster.finish();
  });
});
