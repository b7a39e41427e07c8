import { expect, test, vi } from 'vitest';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

test('who came and who votes is still told when the log that said so is gone', () => {
  const cluster = new Cluster('audit', { settings: { compactEntries: 20, keptEntries: 0 } }).begin();
  const { leader, world } = cluster;
  const node = world.nodes.find((one) => one !== leader) ?? '';
  for (let n = 0; n < 60; n++) cluster.ask(node, { type: 'kvPut', key: 'k', value: new Uint8Array([n]) });
  const told = (): string[] =>
    (world.reports.get(node) ?? [])
      .filter(({ index }) => index > 0 && index < 10)
      .map(({ index, kind }) => `${index} ${kind}`);
  const before = told().filter((one) => /memberJoined|votersChanged/.test(one));
  expect(before.length).toBeGreaterThan(4);

  world.crash(node);
  world.reports.set(node, []);
  world.restart(node);
  world.runFor(3_000);
  // Not the agents, the elections: these are only in the log.
  expect(told()).toEqual(before);
  cluster.simulation.judge();
});
