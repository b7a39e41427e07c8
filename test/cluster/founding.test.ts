import { describe, expect, test } from 'vitest';
import { describeWithDocker } from '../docker-engine.ts';
import { Testbed } from './testbed.ts';

const times = 20;

describe('five nodes that start at the same moment', () => {
  test(`become one cluster, ${times} times over`, { timeout: 400_000 }, async () => {
    for (let time = 0; time < times; time++) await expectOneCluster('processes');
  });
});

describeWithDocker('five containers that start at the same moment', () => {
  test(`become one cluster, ${times} times over`, { timeout: 400_000 }, async () => {
    for (let time = 0; time < times; time++) await expectOneCluster('docker');
  });
});

async function expectOneCluster(kind: 'docker' | 'processes'): Promise<void> {
  await Testbed.with(kind, async (testbed) => {
    await testbed.up(5);
    const views = await Promise.all(testbed.nodes.map(({ admin }) => testbed.call(admin, '/status')));
    const bodies = views.map(({ body }) => body as { cluster: string; nodes: unknown[]; leader: { id: string } });
    expect(new Set(bodies.map(({ cluster }) => cluster)).size).toBe(1);
    expect(new Set(bodies.map(({ leader }) => leader.id)).size).toBe(1);
    expect(bodies.map(({ nodes }) => nodes.length)).toEqual([5, 5, 5, 5, 5]);
  });
}
