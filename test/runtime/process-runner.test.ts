import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProcessRunner, type ProcessLimits } from '../../node/runtime/process-runner.ts';
import { ProcessTable } from '../../node/runtime/process-table.ts';
import { processBytes, processCounter, processStubborn } from './process-agents.ts';
import { bytes, RunnerStage } from './runner-stage.ts';

let directory: string;
let stage: RunnerStage;

const create = (limits: Partial<ProcessLimits> = {}): void => {
  const interpreters = new Map([['node', process.execPath]]);
  stage = new RunnerStage((events, log) => createProcessRunner({ directory, interpreters, events, log, limits }));
};

const begin = (agent: string, source = processCounter, state?: Uint8Array, interpreter = 'node'): void =>
  stage.runner.start({ agent, agentType: 'counter', epoch: 1, source, interpreter, state });

const start = (agent: string, source = processCounter, state?: Uint8Array) => {
  begin(agent, source, state);
  return stage.first('started', (one) => one.agent === agent);
};

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const gone = (pid: number) => vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 });
const recorded = async (): Promise<number[]> => (await readdir(join(directory, 'running'))).map(Number);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'processes-'));
  create();
});

afterEach(async () => {
  await stage.runner.stopAll();
  await rm(directory, { recursive: true, force: true });
});

describe('an agent as a process', () => {
  test('may keep its state in bytes of its own', async () => {
    await start('a', processBytes);
    expect(await stage.run('a', 't1', 4)).toMatchObject({ ok: true, value: null, state: '\u0005' });
    expect(await stage.run('a', 't2', -9)).toMatchObject({ ok: false, value: { reason: 'no' }, state: '\u0005' });
    expect(await stage.run('a', 't3', 1)).toMatchObject({ ok: true, state: '\u0006' });
    expect(await start('b', processBytes, Buffer.from([10]))).toMatchObject({ state: '\n' });
  });

  test('that knows its epoch from its start alone is to be started anew in another one, by no fault of its own', async () => {
    const source = processCounter.replace("serve('json', {", "serve('json', { old: true,");
    await start('a', source);
    stage.runner.renew('a', 1, 4);
    expect(await stage.failure('a')).toMatchObject({
      epoch: 4,
      innocent: true,
      reason: expect.stringMatching(/its epoch has changed/),
    });
  });

  test('keeps numbers of its language to the last digit', async () => {
    const kept = '{"count":12345678901234567890,"share":0.12345678901234567890}';
    const source = `process.stdin.on('data', (data) => {
      const { id, method } = JSON.parse(data);
      const result = method === 'describe' ? '{"protocol":1,"state":"json"}' : ${JSON.stringify(`{"state":${kept}}`)};
      process.stdout.write('{"jsonrpc":"2.0","id":' + id + ',"result":' + result + '}\\n');
    });`;
    expect(await start('a', source)).toMatchObject({ state: kept });
    expect(await stage.run('a', 't', {})).toMatchObject({ ok: true, state: kept });
  });

  test('waits where processors are short, and its node goes on', async () => {
    await start('a');
    const { value } = await stage.run('a', 't', { run: "require('node:os').getPriority()" });
    expect(value).toBeGreaterThan(getPriority());
  });

  test('gets nothing of the environment of the node', async () => {
    process.env['NODE_SECRET_OF_TEST'] = 'hush';
    try {
      await start('a');
      const { value } = await stage.run('a', 't', { environment: true });
      const own = ['HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR'];
      // `_`, `OLDPWD` and `SHLVL` are the shell's.
      expect(
        Object.keys(value as object)
          .filter((name) => !/^(_|OLDPWD|SHLVL)$/.test(name))
          .sort(),
      ).toEqual(own);
    } finally {
      delete process.env['NODE_SECRET_OF_TEST'];
    }
  });

  test('is refused where the operator does not allow its interpreter', async () => {
    begin('a', '', undefined, 'perl');
    expect((await stage.failure('a')).reason).toMatch(/no interpreter "perl"/);
  });

  test('is told apart from one that cannot start by what it printed last', async () => {
    begin('a', 'console.error("no desk"); process.exit(4)');
    expect((await stage.failure('a')).reason).toBe('its process ended with code 4: no desk');
  });
});

describe('a hostile agent', () => {
  test.each([
    ['text', 'hello\n'],
    ['an answer to another question', '{"jsonrpc":"2.0","id":99,"result":{"state":1}}\n'],
    ['a question', '{"jsonrpc":"2.0","id":3,"method":"run","params":{}}\n'],
    ['both a result and an error', '{"jsonrpc":"2.0","id":3,"result":{},"error":{"message":"x"}}\n'],
    ['an error without a message', '{"jsonrpc":"2.0","id":3,"error":{}}\n'],
    [
      'a nest too deep to be written',
      `{"jsonrpc":"2.0","id":3,"result":{"state":${'['.repeat(1e5)}${']'.repeat(1e5)}}}\n`,
    ],
    ['no number as id', '{"jsonrpc":"2.0","id":"3","result":{}}\n'],
  ])('that says %s is ended', async (_, raw) => {
    await start('a');
    stage.runner.run('a', 1, 't', bytes({ raw }));
    expect((await stage.failure('a')).reason).toMatch(/nobody asked for|cannot be kept/);
    expect(stage.happened.some(({ kind }) => kind === 'ran')).toBe(false);
  });

  test('that says a line without end is ended before it fills the memory', async () => {
    create({ lineBytesMax: 1_048_576 });
    begin('a', `setInterval(() => process.stdout.write('x'.repeat(65536)), 1)`);
    expect((await stage.failure('a')).reason).toMatch(/a line of more than 1 MB/);
  });

  test('whose state is not of the form that it named has the task refused', async () => {
    const source = processBytes.replace('return { state: kept() }; },\n}', "return { state: 'not base64!' }; },\n}");
    expect(source).not.toBe(processBytes);
    await start('a', source);
    expect(await stage.run('a', 't', 1)).toMatchObject({ ok: false, state: '\u0001' });
  });

  test('that takes more processor time than a task has is ended', async () => {
    create({ cpuMsMax: 600 });
    await start('a');
    stage.runner.run('a', 1, 't', bytes({ spin: true }));
    expect((await stage.failure('a')).reason).toMatch(/task t took more than 600 ms of processor time/);
  });

  test('that hangs at rest is found, and one that answers is left alone', async () => {
    create({ pingIntervalMs: 250, pingTimeoutMs: 4_000 });
    await Promise.all([start('deaf'), start('good')]);
    await stage.run('deaf', 't', { deaf: true });
    expect((await stage.failure('deaf')).reason).toMatch(/at rest it did not answer within 4000 ms/);
    expect(await stage.run('good', 't', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });

  test('that obeys no signal is killed, and takes the processes that it started along', async () => {
    await start('a');
    const { value: child } = (await stage.run('a', 't', { child: true })) as { value: number };
    begin('stubborn', processStubborn);
    const pids = [...(await recorded()), child];
    expect(pids).toHaveLength(3);
    expect(pids.every(isAlive)).toBe(true);
    await stage.runner.stopAll();
    for (const pid of pids) await gone(pid);
    expect(await recorded()).toEqual([]);
    expect(await readdir(join(directory, 'scratch'))).toEqual([]);
  });
});

describe('what a killed node leaves', () => {
  test('ends with it', async () => {
    const program = `
      import { createProcessRunner } from ${JSON.stringify(new URL('../../node/runtime/process-runner.ts', import.meta.url).href)};
      const events = { started: () => console.log('started'), ran() {}, failed: (a, e, reason) => console.log(reason) };
      createProcessRunner({ directory: ${JSON.stringify(directory)}, interpreters: new Map([['node', process.execPath]]), events })
        .start({ agent: 'a', agentType: 'c', epoch: 1, source: ${JSON.stringify(processCounter)}, interpreter: 'node', state: undefined });
      setInterval(() => {}, 1000);`;
    const node = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await new Promise((resolve) => node.stdout.once('data', (data) => resolve(String(data).trim())));
    const pids = await recorded();
    node.kill('SIGKILL');
    expect(said).toBe('started');
    expect(pids).toHaveLength(1);
    for (const pid of pids) await gone(pid);
  });

  test('is ended by its next start, and no process that merely has such a pid', async () => {
    const sleep = () => spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    const [left, other] = [sleep(), sleep()];
    try {
      const table = new ProcessTable(join(directory, 'running'));
      table.add(Number(left.pid));
      await writeFile(join(directory, 'running', String(other.pid)), 'another boot 1');
      create();
      await gone(Number(left.pid));
      expect(isAlive(Number(other.pid))).toBe(true);
      expect(await recorded()).toEqual([]);
    } finally {
      for (const child of [left, other]) child.kill('SIGKILL');
    }
  });
});
