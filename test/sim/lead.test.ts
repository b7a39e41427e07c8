import { expect, test, vi } from 'vitest';
import type { Operation } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const lead = (node: string): Operation => ({ type: 'lead', node });
const cannot = (reason: RegExp): object => ({
  ok: false,
  error: { code: 'cannotLead', message: expect.stringMatching(reason) },
});

test('an operator has another voter lead, through any node, and no task is lost; the same again is no other', () => {
  const cluster = new Cluster('lead').begin();
  const { world, leader: first } = cluster;
  const [heir = '', door = ''] = world.nodes.filter((node) => node !== first);
  const beganMs = world.nowMs;
  expect(cluster.ask(door, lead(heir))).toEqual({ ok: true, result: { node: heir, from: first } });
  world.runUntil(() => cluster.leader === heir, 5_000, 'the heir leads');
  // Nobody waits for the silence of a leader that is there.
  expect(world.nowMs - beganMs).toBeLessThan(500);
  expect(cluster.term).toBe(3);
  expect(cluster.ask(door, lead(heir))).toEqual({ ok: true, result: { node: heir, from: heir } });
  cluster.progress(20, 20_000);
  cluster.finish();
});

test('who cannot lead is told why, and who leads goes on', () => {
  const cluster = new Cluster('cannot lead', { nodes: 7 }).begin();
  const { world, leader } = cluster;
  const read = cluster.ask(leader, { type: 'nodes', consistency: 'leader' });
  const voters = (read.ok ? (read.result as { id: string; voter: boolean }[]) : []).filter(({ voter }) => voter);
  const [draining = '', silent = ''] = voters.map(({ id }) => id).filter((id) => id !== leader);
  // More do not vote than there are.
  const learner = world.addNode();
  world.runFor(3_000);
  expect(cluster.ask(leader, lead('n9'))).toMatchObject({ ok: false, error: { code: 'nodeUnknown' } });
  expect(cluster.ask(leader, lead(learner))).toMatchObject(cannot(/does not vote/));
  cluster.ask(leader, { type: 'drain', node: draining });
  expect(cluster.ask(leader, lead(draining))).toMatchObject(cannot(/is being drained/));
  world.crash(silent, 'silent');
  world.runFor(1_500);
  expect(cluster.ask(leader, lead(silent))).toMatchObject(cannot(/does not answer|is dead/));
  expect(cluster.leader).toBe(leader);
  cluster.ask(leader, { type: 'undrain', node: draining });
  world.restart(silent);
  cluster.finish();
});
