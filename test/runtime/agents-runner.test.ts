import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AgentsLimits } from '../../node/runtime/agents-runner.ts';
import { createAgents } from './agents-kit.ts';
import { bytes, RunnerStage } from './runner-stage.ts';

/** Its state counts its tasks; a task is JavaScript. */
const scripted = `
const AsyncFunction = (async () => {}).constructor;
export default {
  init: () => ({ tasks: 0 }),
  async handle(state, task, context) {
    state.tasks += 1;
    const result = await new AsyncFunction('context', task)(context);
    return { state, result: result ?? state.tasks };
  },
};`;
const forever = 'context.progress(1); await new Promise(() => {})';
/** More than a heap in one piece: that no thread can be ended for, only its process. */
const fillAtOnce = 'return new Array(1e8).fill(1).length';
const fillMap = 'const all = new Map(); for (let at = 0; ; at++) all.set(at, { at })';

let directory: string;
let stage: RunnerStage;
let told: { reason: string; lines: readonly string[] }[] = [];

function create(limits: Partial<AgentsLimits> = {}): void {
  told = [];
  stage = new RunnerStage((events, log) =>
    createAgents({
      ...{ directory, log, events, limits: { sparesMax: 0, heapMbMax: 48, ...limits } },
      trouble: (reason, lines) => told.push({ reason, lines }),
    }),
  );
}

function begin(agent: string, epoch = 1, isolation: 'agent' | 'type' = 'agent', source = scripted) {
  stage.runner.start({ agent, agentType: 'scripted', epoch, source, isolation, state: undefined });
  return stage.first('started', (one) => one.agent === agent && one.epoch === epoch);
}

const tell = (agent: string, script: string, epoch = 1) => stage.runner.run(agent, epoch, 'told', bytes(script));
const failures = (): Record<string, { reason: string; innocent: boolean }> =>
  Object.fromEntries(
    stage.happened.flatMap((one) =>
      one.kind === 'failed' ? [[one.agent, { reason: one.reason, innocent: one.innocent }]] : [],
    ),
  );
const begun = (agent: string) => stage.first('progress', (one) => one.agent === agent);
const pidOf = async (agent: string, epoch = 1): Promise<number> =>
  Number((await stage.run(agent, `pid ${Math.random()}`, 'return process.pid', epoch)).value);
const isThere = (pid: number): boolean => {
  try {
    // One that has ended and is not waited for yet is there no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'agents-'));
  create();
});

afterEach(async () => {
  await stage.runner.stopAll();
  await rm(directory, { recursive: true, force: true });
});

describe('memory that an agent fills', () => {
  test.each([
    ['a map', fillMap],
    ['a set', `const all = new Set(); for (let at = 0; ; at++) all.add('key ' + at)`],
    ['a list that grows for ever', 'const all = []; for (;;) all.push({ all })'],
    ['a list of numbers that grows for ever', 'const all = []; for (;;) all.push(0.5)'],
    ['a list filled at once', 'return new Array(1e8).fill(1).map((at) => ({ at })).length'],
    ['the letters of a text', `return 'x'.repeat(5e8).split('').length`],
    ['a large JSON', `return JSON.parse('[' + '{"a":1},'.repeat(2e7) + '1]').length`],
    ['lists joined', 'let all = [1, 2, 3]; for (;;) all = all.concat(all)'],
    [
      'sorted lists',
      'const list = Array.from({ length: 1e6 }, (_, at) => at); for (const all = []; ; ) all.push(list.toSorted((a, b) => b - a))',
    ],
    ['an object', `const all = {}; for (let at = 0; ; at++) all['key ' + at] = { at }`],
  ])(
    '%s: the node goes on, and who is beside it comes back',
    async (_, script) => {
      await Promise.all([begin('good'), begin('bad')]);
      tell('bad', script);
      const { reason, innocent } = await stage.failure('bad');
      expect(reason).toMatch(/memory|the process that it .* has ended/);
      expect(innocent).toBe(false);
      const { good } = failures();
      if (good !== undefined) {
        expect(good).toMatchObject({ innocent: true, reason: expect.stringContaining('because of agent bad') });
        await begin('good', 2);
      }
      expect(await stage.run('good', 't', '', good === undefined ? 1 : 2)).toMatchObject({ ok: true, value: 1 });
      await begin('bad', 2);
      expect(await stage.run('bad', 't', '', 2)).toMatchObject({ ok: true, value: 1 });
    },
    60_000,
  );
});

describe('memory that no thread accounts for', () => {
  test.each([
    ['a buffer that threads share', 'return new SharedArrayBuffer(8)', /SharedArrayBuffer is not defined/],
    ['a shared memory', 'return new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true })', /no shared memory/],
    [
      'one by way of another',
      'return new (new WebAssembly.Memory({ initial: 1 }).constructor)({ initial: 1, maximum: 2, shared: true })',
      /no shared memory/,
    ],
  ])('%s is not to be had', async (_, script, why) => {
    await begin('a');
    expect(await stage.run('a', 't', script)).toMatchObject({
      ok: false,
      value: { reason: expect.stringMatching(why) },
    });
    const own = 'return new WebAssembly.Memory({ initial: 1 }) instanceof WebAssembly.Memory';
    expect(await stage.run('a', 't2', own)).toMatchObject({ ok: true, value: true });
  });

  test('of the whole process has a limit, and whoever is at work is ended', async () => {
    create({ externalMbMax: 48, residentMarginMb: 256 });
    await Promise.all([begin('good'), begin('bad')]);
    tell(
      'bad',
      `const { runInNewContext } = await import('node:vm');
      const all = [];
      for (; all.length < 12; await new Promise((go) => setTimeout(go, 20)))
        all.push(runInNewContext('new Uint8Array(new SharedArrayBuffer(1e8)).fill(1)'));
      await new Promise(() => {})`,
    );
    const { reason, innocent } = await stage.failure('bad');
    expect([reason, innocent]).toEqual([
      expect.stringMatching(/process needs more than the \d+ MB of memory that all agents in it have together/),
      false,
    ]);
    expect(await stage.run('good', 't', '')).toMatchObject({ ok: true, value: 1 });
  });
});

describe('the end of the process that agents share', () => {
  test('whose heap it was is known, though others were at work', async () => {
    await Promise.all([begin('idle'), begin('busy'), begin('bad')]);
    tell('busy', forever);
    await begun('busy');
    tell('bad', fillAtOnce);
    await stage.failure('bad');
    expect(failures()).toMatchObject({ idle: { innocent: true }, busy: { innocent: true }, bad: { innocent: false } });
    expect(failures().bad?.reason).toMatch(/because of it: it was ended by SIGABRT: FATAL ERROR: .*out of memory/);
    expect(told).toHaveLength(1);
    expect(told[0]?.lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(told)).not.toContain('threadId');
  }, 30_000);

  test('one that was at work alone is to blame; where several were, each is, and those at rest are not', async () => {
    await Promise.all([begin('idle'), begin('one')]);
    tell('one', `process.kill(process.pid, 'SIGKILL')`);
    await stage.failure('one');
    expect(failures()).toMatchObject({ idle: { innocent: true }, one: { innocent: false } });

    create();
    await Promise.all([begin('idle'), begin('one'), begin('other')]);
    tell('other', forever);
    await begun('other');
    tell('one', `process.kill(process.pid, 'SIGKILL')`);
    await stage.failure('one');
    expect(failures()).toMatchObject({
      idle: { innocent: true },
      one: {
        innocent: false,
        reason: 'the process that it shared with other agents has ended: it was ended by SIGKILL',
      },
      other: { innocent: false },
    });
    expect(told).toHaveLength(1);
  });

  test('takes nothing along of what was done before it, and the task that it came with is the first without an answer', async () => {
    for (let epoch = 1; epoch <= 12; epoch++) {
      await begin('a', epoch);
      for (const task of ['t0', 't1', 't2']) stage.runner.run('a', epoch, task, bytes(''));
      tell('a', `process.kill(process.pid, 'SIGKILL')`, epoch);
      await stage.first('failed', (one) => one.epoch === epoch);
      const ran = stage.happened.flatMap((one) => (one.kind === 'ran' && one.epoch === epoch ? [one.task] : []));
      expect(ran).toEqual(['t0', 't1', 't2']);
    }
  }, 60_000);

  test('with nobody at work is a failure of all', async () => {
    await Promise.all([begin('one'), begin('other')]);
    process.kill(await pidOf('one'), 'SIGKILL');
    await stage.failure('other');
    expect(failures()).toMatchObject({ one: { innocent: false }, other: { innocent: false } });
  });

  test('in a start is a failure of that start', async () => {
    await begin('good');
    const source = `export default { init() { ${fillAtOnce} }, handle() {} };`;
    stage.runner.start({ agent: 'bad', agentType: 'bad', epoch: 1, source, state: undefined });
    await stage.failure('bad');
    expect(failures()).toMatchObject({ good: { innocent: true }, bad: { innocent: false } });
  }, 30_000);

  test('puts who ended it out of the thread that it shared', async () => {
    create({ sharedMbMax: 48 });
    await Promise.all([begin('a', 1, 'type'), begin('bad', 1, 'type')]);
    tell('bad', fillAtOnce);
    await stage.failure('bad');
    expect(failures()).toMatchObject({ a: { innocent: true }, bad: { innocent: false } });
    await Promise.all([begin('a', 2, 'type'), begin('b', 2, 'type'), begin('bad', 2, 'type')]);
    const where = `const { threadId } = await import('node:worker_threads'); return threadId`;
    const [a, b, bad] = await Promise.all(
      ['a', 'b', 'bad'].map(async (agent) => (await stage.run(agent, 'where', where, 2)).value),
    );
    expect(a).toBe(b);
    expect(bad).not.toBe(a);
  }, 30_000);

  test('fails what was being made ready in it', async () => {
    await begin('a');
    const pid = await pidOf('a');
    stage.runner.prepare({ agent: 'b', agentType: 'b', source: 'await new Promise(() => {})', migration: 7 });
    process.kill(pid, 'SIGKILL');
    expect((await stage.first('prepared')).reason).toMatch(/made ready in has ended: it was ended by SIGKILL/);
  });
});

describe('the process that agents share', () => {
  test('is another one at once when it has ended, and what was told before is of nothing', async () => {
    await begin('a');
    const pid = await pidOf('a');
    process.kill(pid, 'SIGKILL');
    await stage.failure('a');
    // As the node does it: the same epoch again.
    stage.runner.start({ agent: 'a', agentType: 'scripted', epoch: 1, source: scripted, state: bytes({ tasks: 7 }) });
    expect(await stage.run('a', 'next', '')).toMatchObject({ ok: true, value: 8 });
    expect(await pidOf('a')).not.toBe(pid);
  });

  test('that stands still is ended, and is not taken for what it was', async () => {
    create({ pingIntervalMs: 40, pingsMax: 10 });
    await Promise.all([begin('a'), begin('b')]);
    tell('a', forever);
    await begun('a');
    process.kill(await pidOf('b'), 'SIGSTOP');
    const { reason } = await stage.failure('a');
    expect(reason).toMatch(/has ended because of it: it answered nothing for 400 ms/);
    await begin('a', 2);
    expect(await stage.run('a', 't', '', 2)).toMatchObject({ ok: true });
  });

  test('that takes nothing of what it is told is ended before that is too much', async () => {
    create({ unreadBytesMax: 2_000_000 });
    await begin('a');
    process.kill(await pidOf('a'), 'SIGSTOP');
    for (let at = 0; at < 20; at++) stage.runner.run('a', 1, `t${at}`, bytes('x'.repeat(250_000)));
    expect((await stage.failure('a')).reason).toMatch(/left more than 2 MB unread/);
  });

  test('that stood still begins nothing whose deadline has passed meanwhile', async () => {
    await begin('a');
    const pid = await pidOf('a');
    process.kill(pid, 'SIGSTOP');
    const deadlineMs = performance.now() + 30;
    stage.runner.run('a', 1, 'late', bytes(''), { deadlineMs });
    stage.runner.run('a', 1, 'in time', bytes(''), { deadlineMs: performance.now() + 60_000 });
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(deadlineMs), { interval: 5 });
    process.kill(pid, 'SIGCONT');
    await stage.first('ran', ({ task }) => task === 'in time');
    expect(await stage.first('returned')).toMatchObject({ tasks: ['late'] });
  });

  test('that gives back what nobody asked back is ended', async () => {
    await begin('a');
    // As code of an agent can, which has the rights of the process: it is the first that was started.
    tell(
      'a',
      `const said = Buffer.from(JSON.stringify([[{ type: 'returned', id: 1, tasks: ['told'] }]]));
      const lengths = Buffer.alloc(8);
      lengths.writeUInt32BE(said.length + 4, 0);
      lengths.writeUInt32BE(said.length, 4);
      (await import('node:fs')).writeSync(3, Buffer.concat([lengths, said]));
      await new Promise(() => {});`,
    );
    const { reason } = await Promise.race([stage.failure('a'), stage.first('returned').then(() => ({ reason: '' }))]);
    expect(reason).toMatch(/it gave a task back that nobody asked for/);
  });

  test('takes long words, and large answers, for failures of those who said them', async () => {
    await Promise.all([begin('good'), begin('bad')]);
    const source = 'throw new Error("x".repeat(100_000))';
    stage.runner.prepare({ agent: 'long', agentType: 'long', source, migration: 7 });
    expect((await stage.first('prepared')).reason).toMatch(/cannot be loaded: Error: xxx/);
    tell('bad', 'return "x".repeat(9e6)');
    const { reason, innocent } = await stage.failure('bad');
    expect([reason, innocent]).toEqual(['it answered task told with more than 8 MB', false]);
    await begin('bad', 2);
    expect(await stage.run('good', 't', '')).toMatchObject({ ok: true, value: 1 });
    expect(told).toEqual([]);
  });

  test('ends when its stream does, whatever its agents are at', async () => {
    const program = fileURLToPath(new URL('../../node/runtime/agents-program.ts', import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
    const exited = once(child, 'exit');
    child.stdio[3]?.destroy();
    expect(await exited).toEqual([null, 'SIGKILL']);
  });

  test('has nothing of the environment, and goes with the runner', async () => {
    process.env['SECRET_OF_THE_TEST'] = 'secret';
    try {
      await begin('a');
      const pid = await pidOf('a');
      const seen = await stage.run(
        'a',
        'env',
        `return (await import('node:fs')).readFileSync('/proc/self/environ', 'utf8')`,
      );
      expect(seen.value).not.toContain('SECRET');
      expect(await stage.run('a', 'argv', 'return JSON.stringify([process.argv, process.env])')).not.toContain(
        'secret',
      );
      expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000');
      await stage.runner.stopAll();
      expect(isThere(pid)).toBe(false);
    } finally {
      delete process.env['SECRET_OF_THE_TEST'];
    }
  });

  test('does not outlive a node that is killed, whatever its agents are at', async () => {
    const script = `
      const { createAgents } = await import(${JSON.stringify(new URL('agents-kit.ts', import.meta.url).href)});
      const source = 'export default { init: () => process.pid, async handle(state, task, context) { context.progress(state); for (;;); } }';
      const nothing = () => {};
      const runner = createAgents({ directory: ${JSON.stringify(directory)}, events: {
        ahead: nothing, ran: nothing, failed: nothing, prepared: nothing,
        progress: (_agent, _epoch, _task, value) => console.log(Buffer.from(value).toString()),
        started: () => runner.run('a', 1, 't', Buffer.from('0')),
      } });
      runner.start({ agent: 'a', agentType: 'a', epoch: 1, source, state: undefined });
      setInterval(nothing, 1_000);`;
    const node = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = await once(node.stdout, 'data');
    const pid = Number(String(said));
    expect(isThere(pid)).toBe(true);
    node.kill('SIGKILL');
    await vi.waitFor(() => expect(isThere(pid)).toBe(false), { timeout: 10_000, interval: 10 });
  });
});
