import { expect, test, vi } from 'vitest';
import type { AgentView, Outcome, Results, StatusView } from '../../node/core/operation.ts';
import { readTally, type TallyTask } from '../../sim/tally.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test('what two parts of a branch sent in the same step arrives from both, when its side had split once more', () => {
  const tallies = { merging: 2, plain: 0, clients: 0, holders: 5, thinkMsMax: 1_000 };
  const cluster = new Cluster('parts of a branch', { nodes: 9, tallies }, { agents: 1, clients: 0 }).begin();
  const { world } = cluster;
  const [agent, receiver] = ['tally-1', 'tally-2'];
  const ok = <T>(outcome: Outcome): T => {
    if (!outcome.ok) throw world.failure(outcome.error.message);
    return outcome.result as T;
  };
  const view = (node: string): AgentView => ok(cluster.ask(node, { type: 'agent', agent, consistency: 'stale' }));
  const counts = (node: string, of: string): Record<string, number> =>
    readTally(ok<Results['state']>(cluster.ask(node, { type: 'state', agent: of, ttlMs: 10_000 })).state).counts;
  const give = (node: string, id: string, send?: TallyTask['send']): Results['task'] =>
    ok(cluster.ask(node, { type: 'task', agent, task: id, payload: bytes({ id, send }), ttlMs: 20_000 }));

  const { holders } = view(world.nodes[0] ?? '');
  const kept = holders.filter((node) => node !== cluster.leader).slice(0, 2);
  const { nodes } = ok<StatusView>(cluster.ask(cluster.leader, { type: 'status' }));
  // With two voters at most it is no majority.
  const rest = nodes.flatMap(({ id, voter }) => (voter || kept.includes(id) ? [] : [id]));
  const side = [...kept, ...rest.slice(0, 2)];
  const majority = world.nodes.filter((node) => !side.includes(node));
  world.partition([side, majority]);
  world.runFor(6_000);
  expect(give(side[0] ?? '', 'together')).toMatchObject({ provisional: true });
  world.runFor(2_000);
  const keepers = side.filter((node) => world.host(node).disk.keys(`branch/${agent}~`).length > 0);
  expect(keepers.length).toBeGreaterThanOrEqual(2);
  const others = side.filter((node) => !keepers.includes(node));
  const parts = [keepers.slice(0, 1), [...keepers.slice(1), ...others]];
  world.partition([...parts, majority]);
  world.runFor(10_000);
  // The majority does something as well: neither part can take the place of the history.
  give(majority[0] ?? '', 'ours');
  for (const [i, [node = '']] of parts.entries()) {
    expect(give(node, `apart-${i}`, { to: receiver, id: `sent-${i}` })).toMatchObject({ provisional: true });
  }

  world.heal();
  const [first = ''] = majority;
  const isOver = () =>
    (view(first).branches ?? []).length >= 2 && view(first).branches?.every(({ end }) => end !== undefined);
  for (let tries = 0; tries < 200 && !isOver(); tries++) world.runFor(200);
  const branches = view(first).branches ?? [];
  expect(branches.map(({ end }) => end?.outcome)).toEqual(['merged', 'merged']);
  expect(new Set(branches.map(({ id }) => id)).size).toBe(1);
  world.runFor(5_000);
  expect(counts(first, agent)).toEqual({ together: 1, ours: 1, 'apart-0': 1, 'apart-1': 1 });
  expect(counts(first, receiver)).toEqual({ 'sent-0': 1, 'sent-1': 1 });
});
