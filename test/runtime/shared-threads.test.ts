import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WorkerLimits } from '../../node/runtime/worker-runner.ts';
import { createAgents } from './agents-kit.ts';
import { bytes, type Happened, RunnerStage } from './runner-stage.ts';

/** Its state counts its tasks; a task is JavaScript. */
const scripted = `
import { threadId } from 'node:worker_threads';
import { setTimeout as delay } from 'node:timers/promises';
const AsyncFunction = (async () => {}).constructor;
const spin = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); };
export default {
  init: ({ agent }) => ({ agent, tasks: 0 }),
  async handle(state, task, context) {
    state.tasks += 1;
    const result = await new AsyncFunction('threadId', 'delay', 'spin', 'context', task)(threadId, delay, spin, context);
    return { state, result: result ?? state.tasks };
  },
};`;
const forever = 'await new Promise(() => {})';

let directory: string;
let stage: RunnerStage;

function create(limits: Partial<WorkerLimits> = {}): void {
  stage = new RunnerStage((events, log) =>
    createAgents({ directory, limits: { sparesMax: 0, ...limits }, log, events }),
  );
}

function begin(agent: string, epoch = 1, source = scripted, isolation: 'agent' | 'type' = 'type') {
  stage.runner.start({ agent, agentType: 'scripted', epoch, source, isolation, state: undefined });
  return stage.first('started', (one) => one.agent === agent && one.epoch === epoch);
}

const beginAll = (...agents: string[]) => Promise.all(agents.map((agent) => begin(agent)));
const threadOf = async (agent: string, epoch = 1) =>
  (await stage.run(agent, `where ${agent}`, 'return threadId', epoch)).value;
const tell = (agent: string, task: string, script: string) => stage.runner.run(agent, 1, task, bytes(script));
const failures = (): Record<string, string> =>
  Object.fromEntries(stage.happened.flatMap((one) => (one.kind === 'failed' ? [[one.agent, one.reason]] : [])));
const innocents = (): string[] =>
  stage.happened.flatMap((one) => (one.kind === 'failed' && one.innocent ? [one.agent] : []));
const linesOf = (agent: string): string[] =>
  stage.happened.flatMap((one) => (one.kind === 'printed' && one.agent === agent ? [one.line] : []));
/** Resolves once the task is told to have begun. */
const begun = (agent: string, task: string): Promise<Happened> =>
  stage.first('progress', (one) => one.agent === agent && one.task === task);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shared-'));
  create();
});

afterEach(async () => {
  await stage.runner.stopAll();
  await rm(directory, { recursive: true, force: true });
});

describe('agents that share a thread', () => {
  test('are of one type and one code, so many of them, and each has its own state', async () => {
    create({ seatsMax: 2 });
    await beginAll('a', 'b', 'c');
    await begin('d', 1, `${scripted}// another version`);
    await begin('alone', 1, scripted, 'agent');
    const [a, b, c, d, alone] = await Promise.all(['a', 'b', 'c', 'd', 'alone'].map((agent) => threadOf(agent)));
    expect(a).toBe(b);
    expect(new Set([a, c, d, alone]).size).toBe(4);
    expect(await stage.run('a', 'count', '')).toMatchObject({ state: '{"agent":"a","tasks":2}', value: 2 });
    expect(await stage.run('b', 'count', '')).toMatchObject({ state: '{"agent":"b","tasks":2}', value: 2 });
  });

  test('find the seat of one that has left, and the last one takes the thread along', async () => {
    create({ seatsMax: 2 });
    await beginAll('a', 'b');
    const thread = await threadOf('a');
    stage.runner.stop('a', 1);
    await begin('c');
    // The seat is free when the thread has said so; before that another thread is begun.
    const where = await threadOf('c');
    stage.runner.stop('c', 1);
    await begin('d');
    expect([where, await threadOf('d')]).toContain(thread);
    for (const agent of ['b', 'd']) stage.runner.stop(agent, 1);
    await begin('e');
    expect(await threadOf('e')).not.toBe(thread);
    expect(failures()).toEqual({});
  });

  test('work in turns while they wait', async () => {
    await beginAll('a', 'b');
    const answer = stage.run('a', 't', "await new Promise((done) => context.signal.addEventListener('abort', done))");
    expect(await stage.run('b', 't', 'return 5')).toMatchObject({ value: 5 });
    stage.runner.cancel('b', 1, 't');
    stage.runner.cancel('a', 1, 't');
    expect(await answer).toMatchObject({ ok: true });
  });

  test('fail alone when they cannot start, or have too many tasks waiting', async () => {
    create({ tasksWaitingMax: 2 });
    await begin('a');
    const broken = scripted.replace('agent, tasks: 0', "agent, tasks: agent === 'b' ? new Map() : 0");
    await begin('c', 1, broken);
    stage.runner.start({
      ...{ agent: 'b', agentType: 'scripted', epoch: 1, source: broken, isolation: 'type', state: undefined },
    });
    expect((await stage.failure('b')).reason).toMatch(/state\.tasks is a Map/);
    expect(await stage.run('c', 't', 'return 1')).toMatchObject({ value: 1 });
    for (let at = 0; at < 5; at++) tell('a', `t${at}`, 'await delay(50)');
    expect((await stage.failure('a')).reason).toMatch(/more than 2 tasks wait/);
    expect(await stage.run('c', 't2', 'return 2')).toMatchObject({ value: 2 });
    expect(innocents()).toEqual([]);
  });

  test('print under their own names, whole lines, also in pieces and bytes', async () => {
    await beginAll('a', 'b');
    await stage.run('a', 't1', 'process.stdout.write("one "); await delay(5); console.error("oops %d", 1)');
    await stage.run('b', 't1', 'process.stdout.write(Buffer.from("b\\n")); process.stdout.write("Yjo=", "base64")');
    await stage.run('a', 't2', 'process.stdout.write("two\\n")');
    await stage.run('b', 't2', 'await delay(1); console.log("it"); return 1');
    await stage.first('printed', (one) => one.line === 'b:it');
    expect(linesOf('a').sort()).toEqual(['one two', 'oops 1']);
    expect(linesOf('b')).toEqual(['b', 'b:it']);
  });
});

describe('what one agent does to a thread that it shares', () => {
  const others = /thread that it shared was ended because of agent bad: /;
  test.each([
    ['spins', 'spin(1e9)', /did not answer task t within 700 ms/],
    ['spins after it waited', 'await delay(20); spin(1e9)', /did not answer task t within 700 ms/],
    ['waits for what never comes', forever, /did not answer task t within 700 ms/],
    ['ends the thread', 'await null; process.exit(3)', /ended with code 3/],
    ['throws outside its tasks', `setTimeout(() => { throw new Error('loose') }, 20); ${forever}`, /outside.*: loose/],
    ['rejects what nobody handles', `void Promise.reject(new Error('lost')); ${forever}`, /outside.*: lost/],
    ['spins when its task is long done', 'setTimeout(() => spin(1e9), 20)', /held up the thread.* for 1500 ms/],
  ])('is told as its doing when it %s, and it is kept apart', async (_name, script, why) => {
    create({ taskTimeoutMs: 700 });
    await beginAll('good', 'bad', 'idle');
    if (script.startsWith('setTimeout(() => spin')) {
      await stage.run('bad', 't', script);
      await stage.runner.stopAll();
      create({ taskTimeoutMs: 1_500 });
      await beginAll('good', 'bad', 'idle');
      await stage.run('bad', 't', script);
      tell('good', 'w', forever);
    } else {
      tell('good', 'w', 'await delay(500)');
      tell('bad', 't', script);
    }
    expect((await stage.failure('bad')).reason).toMatch(why);
    await Promise.all([stage.failure('good'), stage.failure('idle')]);
    expect(failures()['good']).toMatch(others);
    expect(failures()['idle']).toMatch(why);
    expect(innocents().sort()).toEqual(['good', 'idle']);
    await Promise.all(['good', 'bad', 'idle'].map((agent) => begin(agent, 2)));
    const [good, bad, idle] = await Promise.all(['good', 'bad', 'idle'].map((agent) => threadOf(agent, 2)));
    expect(good).toBe(idle);
    expect(bad).not.toBe(good);
  });

  test.each([
    ['heap', 'for (const all = []; ; ) all.push(new Array(1e5).fill({}).map(() => ({ x: Math.random() })))', 'memory'],
    ['buffers', 'for (const all = []; ; ) { all.push(Buffer.alloc(1e6, 1)); await delay(2); }', 'buffers'],
  ])('is told as its doing when it needs too much of %s', async (_name, script, what) => {
    create({ sharedMbMax: 48 });
    await beginAll('good', 'bad');
    tell('bad', 't', script);
    expect((await stage.failure('bad')).reason).toMatch(`the 48 MB of ${what} that the agents of a thread share`);
    expect((await stage.failure('good')).reason).toMatch(others);
    expect(innocents()).toEqual(['good']);
  });

  test('is not told as the doing of one whose time ran out behind it', async () => {
    create({ taskTimeoutMs: 2_000 });
    await beginAll('patient', 'greedy');
    tell('patient', 't', 'await delay(800); context.progress(1); await delay(1_000); return "patient"');
    await begun('patient', 't');
    // The time of the first is over while the second, which has more left, is at it.
    tell('greedy', 't', 'await delay(600); spin(1_100)');
    expect(await stage.first('ran', (one) => one.agent === 'patient')).toMatchObject({ value: 'patient' });
    expect(await stage.first('ran', (one) => one.agent === 'greedy')).toMatchObject({ ok: true });
    expect(failures()).toEqual({});
  });

  test('is not told as the doing of tasks that stood in line behind it', async () => {
    create({ taskTimeoutMs: 1_000 });
    const agents = Array.from({ length: 5 }, (_, at) => `a${at}`);
    await beginAll(...agents);
    const answers = await Promise.all(agents.map((agent) => stage.run(agent, 't', 'spin(400); return threadId')));
    expect(new Set(answers.map(({ value }) => value)).size).toBe(1);
    expect(failures()).toEqual({});
  });
});

describe('one that is stopped in a thread that it shares', () => {
  test('gives up what it is at, and nothing is heard of it', async () => {
    await beginAll('a', 'b');
    const untilAborted = "await new Promise((done) => context.signal.addEventListener('abort', done))";
    tell('a', 't', `context.progress(0); ${untilAborted}; context.progress(1); console.log('gave up')`);
    await begun('a', 't');
    stage.runner.stop('a', 1);
    await stage.first('printed', (one) => one.line === 'gave up');
    expect(await stage.run('b', 't', 'return 1')).toMatchObject({ value: 1 });
    expect(stage.happened.filter((one) => 'agent' in one && one.agent === 'a').map(({ kind }) => kind)).toEqual([
      'started',
      'progress',
      'printed',
    ]);
  });

  test('may take no longer for it than for any task; then the thread ends for its sake', async () => {
    create({ taskTimeoutMs: 500 });
    await beginAll('a', 'b');
    tell('a', 't', `context.progress(0); ${forever}`);
    await begun('a', 't');
    stage.runner.stop('a', 1);
    expect((await stage.failure('b')).reason).toMatch(/because of agent a: it did not answer task t within 500 ms/);
    expect(failures()).not.toHaveProperty('a');
  });
});

describe('a task that takes too much processor time', () => {
  const inTurns = 'for (;;) { spin(5); await delay(0); }';
  test.each(['agent', 'type'] as const)('ends with isolation %s, though it waits in between', async (isolation) => {
    create({ taskCpuMsMax: 400 });
    await Promise.all(['idle', 'busy'].map((agent) => begin(agent, 1, scripted, isolation)));
    tell('idle', 'w', forever);
    tell('busy', 't', inTurns);
    expect((await stage.failure('busy')).reason).toBe('it took more than 400 ms of processor time for task t');
    if (isolation === 'type') await stage.failure('idle');
    expect(innocents()).toEqual(isolation === 'type' ? ['idle'] : []);
  });

  test('is one task: many that take little may go on', async () => {
    create({ taskCpuMsMax: 400 });
    await beginAll('a');
    for (let at = 0; at < 8; at++) await stage.run('a', `t${at}`, 'spin(100)');
    expect(failures()).toEqual({});
  });
});
