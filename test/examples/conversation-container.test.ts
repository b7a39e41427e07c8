import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine, type Engine } from '../../docker/engine.ts';
import { readModule } from '../../node/cli/deploy.ts';
import { readContainerSpec } from '../../node/core/container-spec.ts';
import { createContainerRunner } from '../../node/runtime/container-runner.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { buildImage, findPython, importPython } from '../python.ts';
import { engineSocket } from '../runtime/container-image.ts';
import { RunnerStage } from '../runtime/runner-stage.ts';

const folder = fileURLToPath(new URL('../../examples/conversation-container', import.meta.url));
const base = 'conclave-test-python:1';
/** Not the manifest's own, which somebody may have built. */
const image = 'conclave-test-conversation:1';

const python = findPython();

/** As the README has it built. */
async function buildAgent(docker: Engine): Promise<void> {
  const context = join(folder, '..', 'conversation');
  const files: Record<string, Buffer> = {};
  for (const name of await readdir(context)) {
    if (name.endsWith('.py')) files[name] = await readFile(join(context, name));
  }
  await buildImage(docker, image, await readFile(join(folder, 'Dockerfile'), 'utf8'), { files, base });
}

describeWithDocker('the conversation agent in a container', () => {
  describe.skipIf(python === undefined)('where there is python3', () => {
    let docker: Engine;
    let stage: RunnerStage;
    let directory: string;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'conversation-'));
      docker = await connectEngine();
      if (python !== undefined) await importPython(docker, python, base);
      await buildAgent(docker);
    }, 120_000);

    afterEach(() => stage.runner.stopAll());

    afterAll(async () => {
      await rm(directory, { recursive: true, force: true });
      for (const made of [image, base]) await docker.getImage(made).remove({ force: true });
    });

    test('talks as it does in a process, and goes on elsewhere', async () => {
      const { type, source, container: manifest } = await readModule(folder);
      const container = readContainerSpec(manifest);
      if (typeof container === 'string') throw new Error(container);
      expect([type, source, container.image]).toEqual(['conversation-container', undefined, 'conversation-agent:1']);
      const init = { directory, node: `example-${process.pid}`, socketPath: engineSocket, images: [image] };
      stage = new RunnerStage((events, log) => createContainerRunner({ ...init, events, log }));
      const order = { agent: 'a', agentType: type, source: '', container: { ...container, image } };
      stage.runner.start({ ...order, epoch: 1, state: undefined });
      const first = await stage.run('a', 't1', { say: 'what is 6 * 7?' });
      expect(first).toMatchObject({ ok: true, value: { reply: 'The answer is 42.', messages: 5 } });
      await stage.first('printed', ({ line }) => line === '5 messages');
      stage.runner.stop('a', 1);
      stage.runner.start({ ...order, epoch: 2, state: Buffer.from(first.state) });
      const second = await stage.run('a', 't2', { say: 'what did I ask earlier?' }, 2);
      expect(second).toMatchObject({ ok: true, value: { reply: 'You asked me 1 times before.' } });
    });
  });
});
