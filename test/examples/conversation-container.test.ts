import { execFileSync, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import tar from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connectEngine, type Engine, readProgress } from '../../docker/engine.ts';
import { readModule } from '../../node/cli/deploy.ts';
import { readContainerSpec } from '../../node/core/container-spec.ts';
import { createContainerRunner } from '../../node/runtime/container-runner.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { engineSocket } from '../runtime/container-image.ts';
import { RunnerStage } from '../runtime/runner-stage.ts';

const folder = fileURLToPath(new URL('../../examples/conversation-container', import.meta.url));
const base = 'conclave-test-python:1';
/** Not the manifest's own, which somebody may have built. */
const image = 'conclave-test-conversation:1';

/** What Python needs to run, and where its program is: `python3` beside the program that runs. */
function findPython(): { program: string; files: string[] } | undefined {
  try {
    const ask = `import os, sys, sysconfig; print(os.path.realpath(sys.executable)); print(sysconfig.get_path('stdlib'))`;
    const [real = '', library = ''] = execFileSync('python3', ['-c', ask], { encoding: 'utf8' }).trim().split('\n');
    const modules = readdirSync(join(library, 'lib-dynload')).map((name) => join(library, 'lib-dynload', name));
    const listed = execFileSync('ldd', [real, ...modules], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
    const libraries = [...listed.matchAll(/(?:=>\s+)?(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
    const program = join(dirname(real), 'python3');
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return { program, files: [program, library, ...new Set(libraries)] };
  } catch {
    return undefined;
  }
}

const python = findPython();

async function importPython(docker: Engine, { program, files }: NonNullable<typeof python>): Promise<void> {
  const without = ['test', 'site-packages', 'dist-packages', '__pycache__', 'ensurepip', 'idlelib', 'config-*', '*.a'];
  const excluded = without.map((name) => `--exclude=${name}`);
  const packed = spawn('tar', ['-ch', ...excluded, ...files.map((file) => file.slice(1))], { cwd: '/' });
  packed.stderr.resume();
  const [repo, tag] = base.split(':');
  const changes = [`ENV PATH=${dirname(program)}`];
  const stream = await docker.importImage(packed.stdout, { repo, tag, changes });
  await readProgress(docker, stream);
}

/** As the README has it built. */
async function buildAgent(docker: Engine): Promise<void> {
  const pack = tar.pack();
  pack.entry({ name: 'Dockerfile' }, await readFile(join(folder, 'Dockerfile'), 'utf8'));
  const context = join(folder, '..', 'conversation');
  for (const name of await readdir(context)) {
    if (name.endsWith('.py')) pack.entry({ name, mode: 0o644 }, await readFile(join(context, name)));
  }
  pack.finalize();
  const options = { t: image, buildargs: { BASE_IMAGE: base }, forcerm: true };
  await readProgress(docker, await docker.buildImage(pack as unknown as NodeJS.ReadableStream, options));
}

describeWithDocker('the conversation agent in a container', () => {
  describe.skipIf(python === undefined)('where there is python3', () => {
    let docker: Engine;
    let stage: RunnerStage;
    let directory: string;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'conversation-'));
      docker = await connectEngine();
      if (python !== undefined) await importPython(docker, python);
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
