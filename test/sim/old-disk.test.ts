import { expect, test, vi } from 'vitest';
import type { Operation } from '../../node/core/operation.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const put = (key: string): Operation => ({ type: 'kvPut', key, value: new Uint8Array(1) });

test('a node whose disk is an older copy of its own answers nothing and ends', () => {
  const cluster = new Cluster('older copy').begin();
  const { leader, world } = cluster;
  const node = world.nodes.find((one) => one !== leader) ?? '';
  world.crash(node);
  const copy = world.host(node).disk.load();
  world.restart(node);
  world.runFor(3_000);
  expect(cluster.ask(node, put('a'))?.ok).toBe(true);

  // The start from the copy has the same number as the one before.
  world.crash(node);
  world.host(node).disk.putBack(copy);
  world.restart(node);
  const asked = world.request(node, put('b'));
  world.runUntil(() => !world.running.includes(node), 20_000, 'its end');
  expect(asked.outcome?.ok).not.toBe(true);
  const known = cluster.ask(cluster.leader, { type: 'kvGet', key: 'b', consistency: 'linearizable' });
  expect(known).toMatchObject({ ok: false, error: { code: 'keyUnknown' } });
  expect(world.exits.at(-1)).toMatchObject({ node, code: 65 });
});
