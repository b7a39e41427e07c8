import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tar from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { connectEngine, type Engine, readProgress } from '../../docker/engine.ts';
import type { ContainerSpec } from '../../node/core/container-spec.ts';
import { type ContainerLimits, createContainerRunner } from '../../node/runtime/container-runner.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { containerOf, engineSocket, nodeImage } from './container-image.ts';
import { processCounter } from './process-agents.ts';
import { bytes, RunnerStage } from './runner-stage.ts';

const node = `node-of-test-${process.pid}`;
const absent = 'conclave-no-such-image:1';
const withVolume = 'conclave-test-volume:1';
const quick: Partial<ContainerLimits> = { removeTriesMax: 2, removePauseMs: 10, tidyIntervalMs: 200 };

/** Stands between a runner and the engine, and can be gone. */
class Door {
  readonly path: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string) {
    this.path = path;
  }

  async open(): Promise<void> {
    this.#server = createServer({ allowHalfOpen: true }, (inside) => {
      const outside = connect({ path: engineSocket, allowHalfOpen: true });
      for (const [from, to] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => {}).pipe(to);
        from.once('close', () => to.destroy());
      }
    });
    this.#server.listen(this.path);
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    if (this.#server === undefined) return;
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#server = undefined;
  }
}

describeWithDocker('an agent as a container', () => {
  let docker: Engine;
  let image: string;
  let directory: string;
  let door: Door;
  const stages: RunnerStage[] = [];
  const troubles: string[] = [];

  const create = (limits: Partial<ContainerLimits> = {}, called = node, more: object = {}): RunnerStage => {
    const images = [image, absent, withVolume];
    const trouble = (reason: string) => void troubles.push(reason);
    const about = { directory, node: called, socketPath: door.path, images, trouble, ...more };
    const init = { ...about, limits: { ...quick, ...limits } };
    const stage = new RunnerStage((events, log) => createContainerRunner({ ...init, events, log }));
    stages.push(stage);
    return stage;
  };
  const begin = (stage: RunnerStage, agent: string, spec: Partial<ContainerSpec> = {}, epoch = 1): void => {
    const container = { ...containerOf(image, processCounter), ...spec };
    stage.runner.start({ agent, agentType: 'counter', epoch, source: '', container, state: undefined });
  };
  const start = (stage: RunnerStage, agent: string, spec: Partial<ContainerSpec> = {}) => {
    begin(stage, agent, spec);
    return stage.first('started', (one) => one.agent === agent);
  };
  const left = async (): Promise<string[]> => {
    const filters = { label: ['conclave.agent', `conclave.node=${node}`] };
    return (await docker.listContainers({ all: true, filters })).map(({ Id: id }) => id);
  };
  const noneLeft = () => vi.waitFor(async () => expect(await left()).toEqual([]), { timeout: 15_000 });

  beforeAll(async () => {
    docker = await connectEngine();
    image = await nodeImage();
    const pack = tar.pack();
    pack.entry({ name: 'Dockerfile' }, `FROM ${image}\nVOLUME /data\n`);
    pack.finalize();
    await readProgress(
      docker,
      await docker.buildImage(pack as unknown as NodeJS.ReadableStream, { t: withVolume, forcerm: true }),
    );
  });

  afterAll(async () => {
    await docker.getImage(withVolume).remove({ force: true });
  });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'containers-'));
    door = new Door(join(directory, 'engine.sock'));
    await door.open();
    troubles.length = 0;
  });

  afterEach(async () => {
    for (const stage of stages.splice(0)) await stage.runner.stopAll();
    await door.close();
    for (const id of await left()) await docker.getContainer(id).remove({ force: true });
    await rm(directory, { recursive: true, force: true });
  });

  describe('has nothing of its host', () => {
    let stage: RunnerStage;
    let runs = 0;
    const inside = async (code: string): Promise<unknown> => {
      const { ok, value } = await stage.run('a', `t${++runs}`, { run: code });
      return ok ? value : (value as { reason: string }).reason;
    };
    beforeEach(async () => {
      stage = create();
      await start(stage, 'a', { pids: 20, cpus: 0.5, memoryMb: 100 });
    });

    test('no rights', async () => {
      const status = String(await inside(`require('node:fs').readFileSync('/proc/self/status', 'utf8')`));
      expect(status).toMatch(/^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
      expect(status).toMatch(/^Gid:\s+65534\s/m);
      for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
        expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, 'm'));
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).toMatch(/^Seccomp:\s+2$/m);
    });

    test('no network', async () => {
      expect(await inside(`Object.keys(require('node:os').networkInterfaces())`)).toEqual(['lo']);
    });

    test('no files, but for a little that is gone with it', async () => {
      expect(await inside(`require('node:fs').writeFileSync('/etc/passwd', 'x')`)).toMatch(/EROFS/);
      const fill = `(() => { const fs = require('node:fs'); let mb = 0;
        try { for (; mb < 64; mb++) fs.appendFileSync('/tmp/x', Buffer.alloc(1048576)); } catch (error) { return [mb, error.code]; } })()`;
      expect(await inside(fill)).toEqual([16, 'ENOSPC']);
      const mounts = String(await inside(`require('node:fs').readFileSync('/proc/mounts', 'utf8')`));
      const disks = mounts.split('\n').filter((line) => /^\/dev\/(?!pts|shm)/.test(line));
      // The engine's own three: names and addresses.
      expect(
        disks
          .map((line) => line.split(' ')[1])
          .filter((path) => !/^\/etc\/(hosts|hostname|resolv\.conf)$/.test(path ?? '')),
      ).toEqual([]);
    });

    test('no environment', async () => {
      process.env['NODE_SECRET_OF_TEST'] = 'hush';
      try {
        const names = (await inside(`Object.keys(process.env).sort()`)) as string[];
        expect(names).toEqual(['HOME', 'HOSTNAME', 'PATH', 'TMPDIR']);
      } finally {
        delete process.env['NODE_SECRET_OF_TEST'];
      }
    });

    test('only its share, as the engine has it', async () => {
      const [id = ''] = await left();
      const { HostConfig: host } = await docker.getContainer(id).inspect();
      expect(host).toMatchObject({ PidsLimit: 20, CpuQuota: 50_000, Memory: 104_857_600, MemorySwap: 104_857_600 });
      const many = `new Promise((resolve) => { const { spawn } = require('node:child_process'); let n = 0;
        const next = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
          .once('error', (error) => resolve(error.code)).once('exit', () => resolve('ended')).once('spawn', () => ++n < 20 ? next() : resolve('many'));
        next(); })`;
      expect(await inside(many)).toMatch(/EAGAIN|ended/);
    });
  });

  describe('is told apart when it cannot be', () => {
    test('because the operator does not allow its image', async () => {
      const stage = create();
      begin(stage, 'a', { image: 'other:1' });
      expect((await stage.failure('a')).reason).toMatch(/this node does not run the image other:1/);
    });

    test('because the image is not there', async () => {
      const stage = create();
      begin(stage, 'a', { image: absent });
      expect((await stage.failure('a')).reason).toMatch(
        /image conclave-no-such-image:1 is not on this machine: bring it/,
      );
      await noneLeft();
    });

    test('because the image keeps files', async () => {
      const stage = create();
      begin(stage, 'a', { image: withVolume });
      expect((await stage.failure('a')).reason).toMatch(/wants to keep files \(\/data\)/);
    });

    test('because what it is to run is not in the image', async () => {
      const stage = create();
      begin(stage, 'a', { command: ['/no/such/program'] });
      expect((await stage.failure('a')).reason).toMatch(/cannot be started: .*no such file/s);
      await noneLeft();
    });

    test('because it does not speak', async () => {
      const stage = create();
      begin(stage, 'a', { command: ['/usr/local/bin/node', '-e', 'console.log("hello")'] });
      expect((await stage.failure('a')).reason).toMatch(/nobody asked for: hello/);
      await noneLeft();
    });

    test('because it ends, with what it printed last', async () => {
      const stage = create();
      begin(stage, 'a', { command: ['/usr/local/bin/node', '-e', 'console.error("no desk"); process.exit(4)'] });
      expect((await stage.failure('a')).reason).toBe('its container ended with code 4: no desk');
      await noneLeft();
    });
  });

  test('tells of a task’s progress, and hears that it is cancelled', async () => {
    const stage = create();
    await start(stage, 'a');
    stage.runner.run('a', 1, 't', bytes({ untilCancelled: true, tell: [1, { done: 0.5 }] }));
    await stage.first('progress', ({ value }) => value !== 1);
    stage.runner.cancel('a', 1, 't');
    expect(await stage.first('ran')).toMatchObject({ ok: false, value: { reason: 'given up: t' } });
    expect(stage.happened.flatMap((one) => (one.kind === 'progress' ? [one.value] : []))).toEqual([1, { done: 0.5 }]);
  });

  describe('ends', () => {
    test('with a failure when somebody removes its container', async () => {
      const stage = create();
      await start(stage, 'a');
      for (const id of await left()) await docker.getContainer(id).remove({ force: true });
      expect((await stage.failure('a')).reason).toMatch(/its container (was removed|ended with code 137)/);
    });

    test('when it hangs at rest', async () => {
      const stage = create({ pingIntervalMs: 250, pingTimeoutMs: 1_000 });
      await start(stage, 'a');
      await stage.run('a', 't', { deaf: true });
      expect((await stage.failure('a')).reason).toMatch(/at rest it did not answer within 1000 ms/);
      await noneLeft();
    });

    test('when it is stopped while it is being made, and nothing is left', async () => {
      const stage = create({ startsMax: 1 });
      for (const agent of ['a', 'b', 'c']) begin(stage, agent);
      stage.runner.stop('c', 1);
      await vi.waitFor(async () => expect(await left()).not.toEqual([]), { timeout: 10_000, interval: 5 });
      stage.runner.stop('a', 1);
      await stage.first('started', ({ agent }) => agent === 'b');
      await vi.waitFor(async () => expect(await left()).toHaveLength(1), { timeout: 10_000 });
      expect(stage.happened.map(({ kind }) => kind)).toEqual(['started']);
      await stage.runner.stopAll();
      expect(await left()).toEqual([]);
    });

    test('with its node: the next start removes what a killed one left, and nothing of others', async () => {
      const killed = create({ tidyIntervalMs: 60_000 });
      await start(killed, 'a');
      const [mine] = await left();
      // As a killed node: no word to the engine any more.
      await door.close();
      await killed.failure('a');
      await killed.runner.stopAll();
      expect(await left()).toEqual([mine]);
      const other = await docker.createContainer({
        Image: image,
        Cmd: ['x'],
        Labels: { 'conclave.agent': 'x', 'conclave.node': 'y' },
      });
      try {
        await door.open();
        const stage = create();
        await start(stage, 'b');
        await vi.waitFor(async () => expect(await left()).not.toContain(mine), { timeout: 15_000 });
        expect(await left()).toHaveLength(1);
        expect(await stage.run('b', 't', { add: 1 })).toMatchObject({ value: 1 });
        expect((await other.inspect()).Id).toBe(other.id);
      } finally {
        await other.remove();
      }
    });
  });

  test('ends with a node that comes back under another id, once for all', async () => {
    const damaged = create({ tidyIntervalMs: 60_000 });
    await start(damaged, 'a');
    await door.close();
    await damaged.failure('a');
    await damaged.runner.stopAll();
    expect(await left()).toHaveLength(1);
    await door.open();
    create({}, `${node}-anew`);
    await noneLeft();
    const names = () => readFile(join(directory, 'nodes'), 'utf8');
    await vi.waitFor(async () => expect(await names()).toBe(`${node}-anew\n`), { timeout: 5_000 });
  });

  test('ends with a node of the same name on a new disk, and nobody else', async () => {
    const owner = `test-${process.pid}/node-1`;
    const lost = create({ tidyIntervalMs: 60_000 }, node, { owner });
    await start(lost, 'a');
    await door.close();
    await lost.failure('a');
    await lost.runner.stopAll();
    await door.open();
    const other = create({ startsMax: 1 }, `${node}-other`, {
      owner: `${owner}0`,
      directory: join(directory, 'other'),
    });
    await start(other, 'b');
    expect(await left()).toHaveLength(1);
    create({}, `${node}-anew`, { owner, directory: join(directory, 'new') });
    await noneLeft();
    expect(await other.run('b', 't', { add: 1 })).toMatchObject({ value: 1 });
  });

  describe('when the engine is gone', () => {
    test('fails with a reason that says so, and runs again when the engine is back; what is left is removed', async () => {
      const stage = create();
      await start(stage, 'a');
      stage.runner.run('a', 1, 't', bytes({ wait: true }));
      await door.close();
      const gone = /the container engine is gone: nothing listens at/;
      expect((await stage.failure('a')).reason).toMatch(gone);
      begin(stage, 'b');
      expect((await stage.failure('b')).reason).toMatch(gone);
      await vi.waitFor(() => expect(troubles).toEqual([expect.stringMatching(gone)]), { timeout: 5_000 });
      expect(await left()).toHaveLength(1);
      await door.open();
      await noneLeft();
      await start(stage, 'c');
      expect(await stage.run('c', 't', { add: 2 })).toMatchObject({ ok: true, value: 2 });
    });
  });
});
