import { expect, test } from 'vitest';
import { connectEngine } from '../../docker/engine.ts';
import type { StatusJson } from '../../node/cli/status.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { engineSocket, nodeImage } from '../runtime/container-image.ts';
import { processCounter } from '../runtime/process-agents.ts';
import { Testbed } from './testbed.ts';

interface TaskJson {
  result: unknown;
}

describeWithDocker('agents as containers beside three processes', () => {
  test('survive the death of their host, and leave nothing behind', { timeout: 180_000 }, async () => {
    const [docker, image] = await Promise.all([connectEngine(), nodeImage()]);
    process.env['CONCLAVE_CONTAINERS'] = engineSocket;
    process.env['CONCLAVE_CONTAINER_IMAGES'] = image;
    const ids = new Set<string>();
    const left = async (): Promise<string[]> => {
      const found = await docker.listContainers({ all: true, filters: { label: ['conclave.agent'] } });
      return found.flatMap(({ Labels: labels }) =>
        ids.has(labels['conclave.node'] ?? '') ? [labels['conclave.agent'] ?? ''] : [],
      );
    };
    try {
      await Testbed.with('processes', async (testbed) => {
        const { nodes } = await testbed.up(3);
        for (const { id } of nodes) ids.add(id);
        const admin = testbed.nodes[0]?.admin ?? '';
        const deploy = (container: object, name: string) =>
          testbed.call(admin, '/agents/deploy', { agent_type: name, name, runtime: 'container', container }, 30_000);
        expect(await deploy({ image, privileged: true }, 'bad')).toMatchObject({
          status: 400,
          body: { error: { message: expect.stringMatching(/in "container": privileged: no such field/) } },
        });
        expect(await deploy({ image: 'other:1' }, 'bad')).toMatchObject({
          status: 422,
          body: { error: { message: expect.stringMatching(/node-1: .*container:other:1/) } },
        });
        const command = ['/usr/local/bin/node', '-e', processCounter];
        expect((await deploy({ image, command, memory_mb: 128 }, 'boxed')).status).toBe(201);

        const add = async (task: string, by: string): Promise<unknown> => {
          let result: unknown;
          await testbed.until(`task ${task} is done`, async () => {
            const body = { id: task, payload: { add: 1 }, ttl_ms: 5_000 };
            const answer = await testbed.call(by, '/agents/boxed/tasks', body, 10_000).catch(() => undefined);
            if (answer?.status !== 200) return false;
            ({ result } = answer.body as TaskJson);
            return true;
          });
          return result;
        };
        expect(await add('t1', admin)).toBe(1);
        const before: StatusJson = await testbed.status();
        const host = before.nodes.find(({ id }) => id === before.agents[0]?.host)?.name ?? '';
        const other = testbed.nodes.find(({ name }) => name !== host)?.admin ?? '';
        await testbed.fleet.kill(host);
        expect(await add('t2', other)).toBe(2);
        // The dead host's container is still there: nobody else may remove it.
        expect(await left()).toEqual(['boxed', 'boxed']);
        await testbed.fleet.start(host);
        await testbed.until('what the dead host left is removed', async () => (await left()).length === 1);
        expect(await add('t3', other)).toBe(3);
      });
      expect(await left()).toEqual([]);
    } finally {
      delete process.env['CONCLAVE_CONTAINERS'];
      delete process.env['CONCLAVE_CONTAINER_IMAGES'];
    }
  });
});
