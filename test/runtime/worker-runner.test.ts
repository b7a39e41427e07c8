import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WorkerLimits } from '../../node/runtime/worker-runner.ts';
import { createAgents } from './agents-kit.ts';
import { bytes, RunnerStage } from './runner-stage.ts';

/** A counter that does what its task says, the bad things too. */
const counter = `
export default {
  init: (context) => ({ count: 0, name: context.agent, type: context.type, epoch: context.epoch }),
  async handle(state, task, context) {
    state.count += task.add ?? 0;
    if (task.throw) throw new Error(task.throw);
    if (task.throwNull) throw null;
    if (task.later) setTimeout(() => { throw null; }, 1);
    if (task.exit !== undefined) process.exit(task.exit);
    if (task.spin) for (;;) {}
    if (task.wait) await new Promise(() => {});
    if (task.heap) for (const all = []; ; ) all.push(new Array(1e5).fill({}).map(() => ({ x: Math.random() })));
    if (task.buffers) for (const all = []; ; ) { all.push(Buffer.alloc(1e6, 1)); for (const end = performance.now() + 5; performance.now() < end; ); }
    if (task.tell) for (const told of task.tell) context.progress(told);
    if (task.tellMany) for (let at = 0; at < task.tellMany; at++) context.progress(at);
    if (task.untilCancelled) {
      await new Promise((done) => context.signal.addEventListener('abort', done));
      if (task.untilCancelled === 'throw') context.signal.throwIfAborted();
      return { state, result: [context.signal.aborted, String(context.signal.reason)] };
    }
    if (task.tellLate) setTimeout(() => { context.progress('late'); console.log('told late'); }, 5);
    if (task.print) process.stdout.write(task.print);
    if (task.answer) return new Function('state', 'return ' + task.answer)(state);
    return { state, result: state.count };
  },
};`;

let directory: string;
let stage: RunnerStage;

function create(limits: Partial<WorkerLimits> = {}): void {
  stage = new RunnerStage((events, log) =>
    createAgents({
      directory: join(directory, 'types'),
      limits: { sparesMax: 0, ...limits },
      log,
      events,
    }),
  );
}

const start = (agent: string, epoch = 1, source = counter, state?: Uint8Array) => {
  stage.runner.start({ agent, agentType: 'counter', epoch, source, state });
  return stage.first('started', (one) => one.agent === agent && one.epoch === epoch);
};

const run: RunnerStage['run'] = (...task) => stage.run(...task);
const failure = (agent: string) => stage.failure(agent);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runner-'));
  create();
});

afterEach(async () => {
  await stage.runner.stopAll();
  await rm(directory, { recursive: true, force: true });
});

describe('an agent in its thread', () => {
  test('starts from init, is told who it is, and answers each task with its result and its state', async () => {
    expect(await start('a', 7)).toMatchObject({ state: '{"count":0,"name":"a","type":"counter","epoch":7}' });
    expect(await run('a', 't1', { add: 2 }, 7)).toMatchObject({ ok: true, value: 2 });
    const second = await run('a', 't2', { add: 3 }, 7);
    expect(second).toMatchObject({ ok: true, value: 5 });
    expect(JSON.parse(second.state)).toMatchObject({ count: 5 });
  });

  test('goes on from a state that it is given', async () => {
    const state = await start('a', 2, counter, bytes({ count: 40 }));
    expect(state).toMatchObject({ state: '{"count":40}' });
    expect(await run('a', 't', { add: 2 }, 2)).toMatchObject({ value: 42 });
  });

  test('runs tasks that were given before it had started, one after the other in their order', async () => {
    stage.runner.start({ agent: 'a', agentType: 'counter', epoch: 1, source: counter, state: undefined });
    for (let at = 1; at <= 20; at++) stage.runner.run('a', 1, `t${at}`, bytes({ add: at }));
    await stage.first('ran', (one) => one.task === 't20');
    const ran = stage.happened.filter((one) => one.kind === 'ran');
    expect(ran.map((one) => one.task)).toEqual(Array.from({ length: 20 }, (_, at) => `t${at + 1}`));
    expect(ran.at(-1)?.value).toBe(210);
  });

  test('that throws in a task after half of its work has the state from before it', async () => {
    const { state } = await start('a');
    const refused = await run('a', 't1', { add: 5, throw: 'not today' });
    expect(refused).toMatchObject({ ok: false, value: { reason: 'not today' }, state });
    expect(await run('a', 't2', { add: 1 })).toMatchObject({ ok: true, value: 1 });
    expect(await run('a', 't3', { add: 5, throwNull: true })).toMatchObject({ ok: false, value: { reason: 'null' } });
    expect(await run('a', 't4', {})).toMatchObject({ ok: true, value: 1 });
  });

  test.each([
    ['undefined', /must return/],
    ['({ result: 1 })', /must return/],
    ['({ state, result: 1n })', /result is a bigint/],
    ['({ state, result: () => 1 })', /result is a function/],
    ['({ state, result: { deep: [1, new Map()] } })', /result\.deep\[1\] is a Map/],
    ['({ state: { bids: new Map() }, result: 1 })', /state\.bids is a Map/],
    ['({ state: { price: NaN }, result: 1 })', /state\.price is NaN/],
    ['({ state: undefined, result: 1 })', /state is undefined/],
    ['({ state: Object.assign(state, { self: state }), result: 1 })', /in a circle/],
  ])('refuses the task when handle returns %s, and says why', async (answer, why) => {
    await start('a');
    const refused = await run('a', 't1', { add: 5, answer });
    expect(refused).toMatchObject({ ok: false, value: { reason: expect.stringMatching(why) } });
    expect(await run('a', 't2', {})).toMatchObject({ ok: true, value: 0 });
  });

  test('refuses a task that is not JSON', async () => {
    await start('a');
    stage.runner.run('a', 1, 't', Buffer.from('{'));
    expect(await stage.first('ran')).toMatchObject({ ok: false, value: { reason: expect.stringMatching(/JSON/) } });
  });

  test('may keep its state in a form of its own', async () => {
    const source = `export default {
      init: () => new Map([['n', 1]]),
      handle(state, task) { state.set('n', state.get('n') + task); if (task < 0) throw new Error('no'); return { state }; },
      checkpoint: (state) => Buffer.from(String(state.get('n'))),
      restore: (bytes) => new Map([['n', Number(new TextDecoder().decode(bytes))]]),
    }`;
    expect(await start('a', 1, source)).toMatchObject({ state: '1' });
    expect(await run('a', 't1', 4)).toMatchObject({ ok: true, value: null, state: '5' });
    expect(await run('a', 't2', -9)).toMatchObject({ ok: false, state: '5' });
    expect(await run('a', 't3', 1)).toMatchObject({ ok: true, state: '6' });
    expect(await start('b', 1, source, Buffer.from('10'))).toMatchObject({ state: '10' });
  });
});

describe('an agent that cannot start fails and says why', () => {
  test.each([
    ['export default {', /module cannot be used/],
    ['export const x = 1', /default export/],
    ['import "./not-there.mjs"; export default {}', /module cannot be used/],
    ['export default { init: () => 1, handle() {}, checkpoint() {} }', /both checkpoint and restore/],
    ['export default { init() { throw new Error("no desk") }, handle() {} }', /init failed: no desk/],
    ['export default { init: () => new Set(), handle() {} }', /state is a Set/],
    ['process.exit(3)', /code 3/],
  ])('%s', async (source, why) => {
    stage.runner.start({ agent: 'a', agentType: 'bad', epoch: 1, source, state: undefined });
    expect((await failure('a')).reason).toMatch(why);
  });

  test('when its state cannot be restored', async () => {
    stage.runner.start({ agent: 'a', agentType: 'counter', epoch: 1, source: counter, state: Buffer.from('{') });
    expect((await failure('a')).reason).toMatch(/cannot be restored/);
  });

  test('when it takes longer than it may', async () => {
    create({ startTimeoutMs: 400 });
    stage.runner.start({ agent: 'a', agentType: 'slow', epoch: 1, source: 'for (;;) {}', state: undefined });
    expect((await failure('a')).reason).toMatch(/did not start within 400 ms/);
  });
});

describe('an agent that breaks takes neither the node nor another agent along', () => {
  test.each([
    ['spins', { spin: true }, /did not answer task t within 500 ms/],
    ['waits for what never comes', { wait: true }, /did not answer task t within 500 ms/],
    ['ends its process', { exit: 0 }, /ended with code 0/],
    ['throws outside a task', { later: true, wait: true }, /threw outside its tasks: null/],
  ])('%s', async (_, payload, why) => {
    create({ taskTimeoutMs: 500 });
    await Promise.all([start('good'), start('bad')]);
    stage.runner.run('bad', 1, 't', bytes(payload));
    expect((await failure('bad')).reason).toMatch(why);
    expect(await run('good', 't', { add: 1 })).toMatchObject({ ok: true, value: 1 });
    stage.runner.run('bad', 1, 'late', bytes({ add: 1 }));
    await start('bad', 2);
    expect(await run('bad', 't', { add: 1 }, 2)).toMatchObject({ ok: true, value: 1 });
    expect(stage.happened.filter((one) => one.kind === 'failed')).toHaveLength(1);
  });

  test.each([
    ['its heap', { heap: true }, /more than the 24 MB of memory/],
    ['buffers', { buffers: true }, /more than the 24 MB of buffers/],
  ])('needs too much memory in %s', async (_, payload, why) => {
    create({ heapMbMax: 24, externalMbMax: 24 });
    await Promise.all([start('good'), start('bad')]);
    stage.runner.run('bad', 1, 't', bytes(payload));
    expect((await failure('bad')).reason).toMatch(why);
    expect(await run('good', 't', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });

  test.each([
    ['many at a time', 'new Array(1e5).fill({}).map(() => ({ x: Math.random() }))'],
    ['one by one', '{ a: [{}] }'],
    ['in texts and lists of them', '[...all, "x".repeat(1_000) + all.length]'],
  ])('needs more heap, again and again, and takes it %s', async (_name, more) => {
    // Where a heap could not end in what it gets beyond its limit, it ended the process, with one try in a few.
    create({ heapMbMax: 24 });
    const source = `export default { init() { for (const all = []; ; ) all.push(${more}); }, handle() {} };`;
    for (let epoch = 1; epoch <= 6; epoch++) {
      stage.runner.start({ agent: 'a', agentType: 'greedy', epoch, source, state: undefined });
      const { reason } = await stage.first('failed', (one) => one.epoch === epoch);
      expect(reason).toMatch(/more than the 24 MB of memory/);
    }
  });

  test('says to the runner what nobody asked for', async () => {
    const source = `import { parentPort } from 'node:worker_threads';
      export default { init: () => 0, handle(state, task) { parentPort.postMessage(task); return { state }; } };`;
    for (const forged of [null, { type: 'ran' }, { type: 'ran', task: 't', ok: true, value: 'x', state: 1 }]) {
      await start('bad', 1, source);
      stage.runner.run('bad', 1, 't', bytes(forged));
      expect((await failure('bad')).reason).toMatch(/nobody asked for/);
      stage.happened.length = 0;
    }
  });

  test('has more tasks waiting than it may', async () => {
    create({ tasksWaitingMax: 3 });
    await start('a');
    for (let at = 0; at < 6; at++) stage.runner.run('a', 1, `t${at}`, bytes({ wait: true }));
    expect((await failure('a')).reason).toMatch(/more than 3 tasks wait/);
  });
});

describe('instances', () => {
  test('of two epochs run beside each other, and the old one is stopped alone', async () => {
    await start('a', 1);
    await start('a', 2);
    await run('a', 't', { add: 1 }, 1);
    await run('a', 't', { add: 10 }, 2);
    stage.runner.stop('a', 1);
    stage.runner.run('a', 1, 'after', bytes({ add: 1 }));
    expect(await run('a', 'next', { add: 1 }, 2)).toMatchObject({ value: 11 });
    expect(stage.happened.some((one) => one.kind === 'ran' && one.epoch === 1 && one.task === 'after')).toBe(false);
  });

  test('that are stopped in the middle of a task are not heard of again', async () => {
    create({ taskTimeoutMs: 300 });
    await Promise.all([start('a'), start('witness')]);
    stage.runner.run('a', 1, 't', bytes({ spin: true }));
    stage.runner.stop('a', 1);
    stage.runner.run('witness', 1, 't', bytes({ spin: true }));
    // The witness fails when the stopped one would have, had it been left to.
    await failure('witness');
    expect(stage.happened.filter((one) => 'agent' in one && one.agent === 'a')).toEqual([
      expect.objectContaining({ kind: 'started' }),
    ]);
  });

  test('that are started again in the same epoch begin anew', async () => {
    await start('a');
    await run('a', 't1', { add: 5 });
    stage.runner.stop('a', 1);
    stage.happened.length = 0;
    await start('a', 1, counter, bytes({ count: 1 }));
    expect(await run('a', 't2', { add: 1 })).toMatchObject({ value: 2 });
  });

  test('find a thread that has booted, and it is as good as a new one', async () => {
    create({ sparesMax: 2 });
    for (let at = 0; at < 6; at++) {
      await start(`a${at}`);
      expect(await run(`a${at}`, 't', { add: at })).toMatchObject({ ok: true, value: at });
    }
    stage.runner.run('a0', 1, 'bye', bytes({ exit: 1 }));
    expect((await failure('a0')).reason).toMatch(/code 1/);
  });
});

describe('a running task', () => {
  const progressOf = (task: string): unknown[] =>
    stage.happened.flatMap((one) => (one.kind === 'progress' && one.task === task ? [one.value] : []));

  test('tells what it wants before it is done, in order', async () => {
    await start('a');
    const told = [1, 'half', { done: [0.75, null] }];
    expect(await run('a', 't', { tell: told })).toMatchObject({ ok: true });
    expect(progressOf('t')).toEqual(told);
    expect(stage.happened.map(({ kind }) => kind)).toEqual(['started', 'progress', 'progress', 'progress', 'ran']);
  });

  test('is refused when it tells what is no JSON or too much of it, unless it minds that itself', async () => {
    await start('a');
    const source = `export default { init: () => 0, handle(state, size, { progress }) {
      try { progress('x'.repeat(size)); } catch (error) { return { state, result: [error instanceof TypeError, error.message] }; }
      progress(() => 1);
    } };`;
    await start('b', 1, source);
    const most = 64 * 1024 - 2;
    expect(await run('b', 't1', most + 1)).toMatchObject({
      value: [true, expect.stringMatching(/65537 bytes.*65536/)],
    });
    expect(await run('b', 't2', most)).toMatchObject({
      ok: false,
      value: { reason: expect.stringMatching(/function/) },
    });
    expect(progressOf('t1')).toHaveLength(0);
    expect(progressOf('t2')).toHaveLength(1);
  });

  test('may tell so much in a second, and the rest is dropped', async () => {
    await start('a');
    await run('a', 't', { tellMany: 1_000 });
    const told = progressOf('t');
    expect(told.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, at) => at));
    // A new second may have begun meanwhile.
    expect(told.length % 100).toBe(0);
    expect(told.length).toBeLessThan(1_000);
  });

  test('tells nothing once it is done', async () => {
    await start('a');
    await run('a', 't', { tellLate: true });
    await stage.first('printed', (one) => one.line === 'told late');
    expect(progressOf('t')).toEqual([]);
  });

  test('hears that it is not wanted any more, and ends as it likes', async () => {
    await start('a');
    const answer = run('a', 't', { untilCancelled: true });
    stage.runner.cancel('a', 1, 'another');
    stage.runner.cancel('a', 2, 't');
    stage.runner.cancel('a', 1, 't');
    expect(await answer).toMatchObject({ ok: true, value: [true, 'AbortError: the task was cancelled'] });
    const refused = run('a', 't2', { untilCancelled: 'throw' });
    stage.runner.cancel('a', 1, 't2');
    expect(await refused).toMatchObject({ ok: false, value: { reason: 'the task was cancelled' } });
    expect(await run('a', 't3', { add: 1 })).toMatchObject({ ok: true, value: 1 });
  });
});

describe('what reaches an agent, and what it leaves', () => {
  test('is nothing of the environment, the arguments or the data of the node', async () => {
    process.env['NODE_SECRET_OF_TEST'] = 'hush';
    const source = `import { workerData } from 'node:worker_threads';
      const { env, argv, execArgv } = process;
      const seen = { env: { ...env }, argv: argv.slice(2), execArgv, workerData: workerData ?? null };
      export default { init: () => seen, handle() {} };`;
    try {
      const { state } = await start('a', 1, source);
      expect(JSON.parse(state)).toEqual({ env: {}, argv: [], execArgv: [], workerData: null });
    } finally {
      delete process.env['NODE_SECRET_OF_TEST'];
    }
  });

  test('is its output, whole lines, cut and counted', async () => {
    create({ lineLengthMax: 10, linesPerSMax: 3 });
    await start('a');
    await run('a', 't1', { print: 'one\nhal' });
    await run('a', 't2', { print: `f\n${'x'.repeat(50)}\nfour\nfive\n` });
    stage.runner.run('a', 1, 't3', bytes({ exit: 0 }));
    await stage.first('printed', (one) => one.line.startsWith('(2 lines'));
    const lines = stage.happened.flatMap((one) => (one.kind === 'printed' ? [one.line] : []));
    expect(lines.slice(0, 3)).toEqual(['one', 'half', 'x'.repeat(10)]);
    expect(lines).not.toContain('four');
  });

  test('is its module in one file of the owner alone, made whole again if it is damaged, the oldest let go', async () => {
    create({ modulesMax: 2 });
    const types = join(directory, 'types');
    await start('a');
    await start('b');
    const [file = ''] = await readdir(types);
    expect(await readdir(types)).toHaveLength(1);
    expect((await stat(join(types, file))).mode & 0o777).toBe(0o600);
    await writeFile(join(types, file), '');
    await start('c');
    await start('d', 1, `${counter}// 2`);
    await start('e', 1, `${counter}// 3`);
    expect(await readdir(types)).toHaveLength(2);
  });

  test('is told as a failure when its module cannot be written', async () => {
    await rm(join(directory, 'types'), { recursive: true });
    stage.runner.start({ agent: 'a', agentType: 'counter', epoch: 1, source: counter, state: undefined });
    expect(stage.happened).toEqual([]);
    expect((await failure('a')).reason).toMatch(/cannot be started/);
  });
});
