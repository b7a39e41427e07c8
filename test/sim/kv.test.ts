import { describe, expect, test } from 'vitest';
import type { Operation, Outcome } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

const consistency = 'linearizable' as const;
const bytes = (text: string) => new TextEncoder().encode(text);
const put = (key: string, value: string, more = {}): Operation => ({
  type: 'kvPut',
  key,
  value: bytes(value),
  ...more,
});

const indexOf = (outcome: Outcome): number => (outcome.ok ? (outcome.result as { index: number }).index : -1);

describe('keys and values', () => {
  test('are written and read at any node, and only under their conditions', () => {
    const cluster = new Cluster('kv').begin();
    const [one = '', two = '', three = ''] = cluster.world.nodes;
    const written = cluster.ask(one, put('a', 'blue'));
    expect(written).toMatchObject({ ok: true, result: { key: 'a' } });
    const read = { ok: true, result: { key: 'a', value: bytes('blue'), index: indexOf(written) } };
    for (const node of cluster.world.nodes) {
      expect(cluster.ask(node, { type: 'kvGet', key: 'a', consistency })).toMatchObject(read);
      expect(cluster.ask(node, { type: 'kvGet', key: 'a', consistency: 'leader' })).toMatchObject(read);
    }
    expect(cluster.ask(two, put('a', 'red', { ifIndex: 0 }))).toMatchObject({ error: { code: 'keyChanged' } });
    expect(cluster.ask(two, put('a', 'red', { ifIndex: indexOf(written) }))).toMatchObject({ ok: true });
    expect(cluster.ask(three, { type: 'kvDelete', key: 'a' })).toMatchObject({ result: { deleted: true } });
    expect(cluster.ask(three, { type: 'kvDelete', key: 'a' })).toMatchObject({ result: { deleted: false } });
    expect(cluster.ask(one, { type: 'kvGet', key: 'a', consistency })).toMatchObject({
      error: { code: 'keyUnknown' },
    });
    cluster.finish();
  });

  test('a write whose leader is lost takes effect once, or its outcome is not claimed', () => {
    for (let run = 0; run < 12; run++) {
      const cluster = new Cluster(`kv-leader-${run}`, {}, { agents: 1 }).begin();
      const { world } = cluster;
      const lost = cluster.leader;
      const asked = world.nodes.find((node) => node !== lost) ?? '';
      cluster.ask(asked, put('n', '0'));
      const first = world.request(asked, put('n', '1'));
      // Before, while and after it is replicated.
      world.runFor(run * 0.4);
      world.crash(lost);
      world.runUntil(() => first.state !== 'waiting', 20_000, 'the answer to the write');
      const value = cluster.ask(asked, { type: 'kvGet', key: 'n', consistency });
      const isWritten = value.ok && (value.result as { value: Uint8Array }).value[0] === bytes('1')[0];
      if (first.outcome?.ok) expect(isWritten).toBe(true);
      else expect(first.outcome).toMatchObject({ error: { code: 'outcomeUnknown' } });
      world.restart(lost);
      cluster.finish();
    }
  });
});
