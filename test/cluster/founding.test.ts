import { describe, expect, test } from 'vitest';
import { describeWithDocker } from '../docker-engine.ts';
import { Testbed } from './testbed.ts';

/** Some of it with each change; 20 and more on demand. */
const times = Number(process.env.FOUNDING_TIMES ?? 3);

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

interface View {
  cluster: string;
  nodes: unknown[];
  leader: { id: string } | null;
}

async function expectOneCluster(kind: 'docker' | 'processes'): Promise<void> {
  await Testbed.with(kind, async (testbed) => {
    await testbed.up(5);
    let views: View[] = [];
    // Whoever follows learns of the last one that joined with the next heartbeat.
    await testbed.until('every node knows five members and one leader', async () => {
      const answers = await Promise.all(testbed.nodes.map(({ admin }) => testbed.call(admin, '/status')));
      views = answers.map(({ body }) => body as View);
      const leaders = new Set(views.map(({ leader }) => leader?.id));
      return views.every(({ nodes, leader }) => nodes.length === 5 && leader !== null) && leaders.size === 1;
    });
    expect(new Set(views.map(({ cluster }) => cluster)).size).toBe(1);
  });
}
