import { describe, expect, test } from 'vitest';
import type { Operation } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

const read = (consistency: 'linearizable' | 'leader' | 'stale'): Operation => ({ type: 'agents', consistency });

describe('reads of the cluster', () => {
  test('show what was decided before, at any node', () => {
    const cluster = new Cluster('reads').begin();
    for (const node of cluster.world.nodes) {
      const deleted = cluster.ask(node, { type: 'kvPut', key: 'seen', value: new Uint8Array(1) });
      expect(deleted?.ok).toBe(true);
      const index = deleted?.ok ? (deleted.result as { index: number }).index : 0;
      for (const other of cluster.world.nodes) {
        const outcome = cluster.ask(other, read('linearizable'));
        expect(outcome).toMatchObject({ ok: true, asOf: { ageMs: 0 } });
        expect(outcome?.ok && (outcome.asOf?.index ?? 0)).toBeGreaterThanOrEqual(index);
      }
    }
    cluster.simulation.judge();
  });

  test('are never answered as linearizable by a leader that is cut off, and say their age as stale', () => {
    const cluster = new Cluster('reads cut off').begin();
    const { leader, world } = cluster;
    const others = world.nodes.filter((node) => node !== leader);
    world.partition([[leader], others]);
    // It does not know yet: what it answers as the leader may be out of date, and it may say no more than that.
    expect(cluster.ask(leader, read('leader'))).toMatchObject({ ok: true });
    const asked = world.request(leader, read('linearizable'));
    world.runUntil(() => cluster.leader !== leader, 10_000, 'another leader');
    world.runUntil(() => asked.state !== 'waiting', 30_000, 'an answer');
    expect(asked.outcome).toMatchObject({ ok: false, error: { code: 'leaderUnknown' } });
    const stale = cluster.ask(leader, read('stale'));
    expect(stale?.ok && (stale.asOf?.ageMs ?? 0)).toBeGreaterThan(1_000);
    const fresh = cluster.ask(cluster.leader, read('linearizable'));
    expect(fresh).toMatchObject({ ok: true, asOf: { ageMs: 0 } });
    world.heal();
    world.runFor(5_000);
    cluster.simulation.judge();
  });
});
