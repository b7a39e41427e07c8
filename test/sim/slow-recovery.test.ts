import { expect, test, vi } from 'vitest';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const agent = 'counter';

/** No recovery ends within the first of these: each round trip of it takes longer. */
const settings = { recoveryTimeoutMs: 30 };
const network = { latencyMsMin: 70, latencyMsMax: 80 };

test('a recovery that needs longer than the next one is given is given more and more, and ends', () => {
  const parts = { nodes: 5, settings, network };
  const cluster = new Cluster('slow recovery', parts, { agents: 1, clients: 2, holders: 3 }).begin();
  const { world } = cluster;
  cluster.progress(5, 30_000);
  const placed = () =>
    (world.reports.get(cluster.leader) ?? []).filter(({ text }) => text.includes('did not end in time'));
  world.crash(cluster.hostOf(agent), 'silent');
  cluster.progress(5, 30_000);
  // 30, 60 and 120 ms are too short, and each of them is told.
  expect(placed().length).toBeGreaterThan(1);
  cluster.finish();
});
