import { expect, test, vi } from 'vitest';
import type { AgentView, Operation, Results } from '../../node/core/operation.ts';
import type { CounterState } from '../../sim/counter.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const agent = 'counter';
const add = (serial: number, ttlMs: number): Operation => {
  const payload = new TextEncoder().encode(JSON.stringify({ serial }));
  return { type: 'task', agent, task: `t${serial}`, payload, ttlMs };
};

test('a fenced agent that is cut off from the majority acknowledges nothing, though most of its holders are with it', () => {
  const cluster = new Cluster('fenced', { nodes: 5 }, { agents: 1, clients: 0, holders: 3 }).begin();
  const { world } = cluster;
  const view = cluster.ask(cluster.leader, { type: 'agent', agent, consistency: 'leader' });
  if (!view.ok) throw world.failure(view.error.message);
  const { host = '', holders } = view.result as AgentView;
  expect(cluster.ask(host, add(1, 10_000))).toMatchObject({ ok: true });
  const side = [host, holders.find((node) => node !== host) ?? ''];
  world.partition([side, world.nodes.filter((node) => !side.includes(node))]);
  const hasNoticed = (): boolean =>
    world.reports.get(host)?.findLast(({ kind }) => kind.startsWith('quorum'))?.kind === 'quorumLost';
  world.runUntil(hasNoticed, 10_000, 'a host that hears no majority');
  expect(cluster.ask(host, add(2, 3_000))).toMatchObject({ ok: false });
  world.heal();
  expect(cluster.ask(host, add(2, 20_000))).toMatchObject({ ok: true });
  const read = cluster.ask(host, { type: 'state', agent, ttlMs: 20_000 });
  if (!read.ok) throw world.failure(read.error.message);
  const state = JSON.parse(new TextDecoder().decode((read.result as Results['state']).state)) as CounterState;
  // It was asked twice, as nobody had told that it was done.
  expect(state.counts).toEqual({ 1: 1, 2: 1 });
});
