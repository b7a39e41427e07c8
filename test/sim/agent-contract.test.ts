import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Runner, RunnerEvents } from '../../node/runtime/ports.ts';
import { createWorkerRunner } from '../../node/runtime/worker-runner.ts';
import { agentModule } from '../../sim/agent-module.ts';
import { stateAfter } from '../state-after.ts';

/** What a host tells of an instance: its first state, the answer to each task, and why it was lost. */
type Told =
  | { started: string }
  | { ok: boolean; value: string; state: string; progress?: string[] }
  | { failed: string };

interface Case {
  /** The module's default export. */
  agent: string;
  /** JSON texts. */
  tasks?: string[];
  state?: string;
  /** Each task is cancelled as soon as it runs. */
  cancels?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const workerUrl = new URL('../../node/runtime/worker.ts', import.meta.url);
const epoch = 3;

/** A counter whose tasks say, as JavaScript, what else becomes of it. */
const counter = `{
  init: (context) => ({ count: 0, ...context }),
  async handle(state, task, context) {
    state.count += 1;
    return await new Function('state', 'context', task)(state, context) ?? { state, result: state.count };
  },
}`;
const says = (...tasks: string[]): Case => ({
  agent: counter,
  tasks: [...tasks, ''].map((task) => JSON.stringify(task)),
});

const map = `{
  init: async () => new Map([['n', 1]]),
  handle(state, task) { state.set('n', state.get('n') + task); if (task < 0) throw new Error('no'); return { state }; },
  checkpoint: (state) => new TextEncoder().encode(String(state.get('n'))),
  async restore(bytes) { const n = Number(new TextDecoder().decode(bytes)); bytes.fill(0); return new Map([['n', n]]); },
}`;

const cases: Record<string, Case> = {
  'answers each task with result and state': says('', 'state.count += 5'),
  'answers at once': {
    agent: '{ init: () => [1], handle: (state, task) => ({ state: [...state, task], result: state }) }',
    tasks: ['2', '{"a":[null,true]}', '"€"'],
  },
  'goes on from a state': { agent: counter, state: '{"count":40}', tasks: ['""'] },
  'has a result of null when there is none': says('return { state }', 'return { state, result: undefined }'),
  'keeps what its module remembers beside the state': {
    agent: '(() => { let seen = 0; return { init: () => null, handle: (state) => ({ state, result: ++seen }) }; })()',
    tasks: ['1', '2'],
  },
  'has the state from before a task that threw': says("state.half = 1; throw new Error('not today')", 'throw null'),
  'throws what is hardly an error': says(
    'throw new RangeError()',
    "throw { message: 'no error' }",
    'throw { toString() { throw 1; } }',
    'throw Symbol("s")',
    "throw Object.create(Error.prototype, { message: { value: 'made' } })",
  ),
  'has its reason cut': says("throw new Error('x'.repeat(5_000))"),
  'overflows the stack': says('(function again() { again(); })()'),
  rejects: says("return Promise.reject(new Error('later'))", 'return (async () => { await null; throw 7; })()'),
  'returns what can be awaited': says('return { then: (done) => done({ state, result: 5 }) }'),
  'returns no state': says('return 5', 'return { result: 1 }', 'return { state: undefined }'),
  'returns a result that is not plain JSON': says(
    'return { state, result: 1n }',
    'return { state, result: () => 1 }',
    'return { state, result: { deep: [1, new Map()] } }',
    'return { state, result: [new (class Own {})()] }',
    'return { state, result: [new URL("x:y"), 1] }',
    'return { state, result: [undefined] }',
    'return { state, result: Object.assign(Object.create(null), { a: undefined, b: 1 }) }',
    'return { state, result: { get a() { throw new Error("no look") } } }',
  ),
  'returns a state that is not plain JSON': says(
    'return { state: { price: NaN } }',
    'return { state: { at: new Date(0) } }',
    'state.self = state',
    'return { state: new Proxy({}, { ownKeys() { throw new Error("no keys") } }) }',
  ),
  'is given what is no JSON': { agent: counter, tasks: ['{', '', '"return { state, result: 1 }"'] },
  'is told who it is, and cannot change it': says('return { state, result: context }', 'context.epoch = 9'),
  'is told the id of its task': says('return { state, result: [context.taskId, Object.keys(context)] }'),
  'tells what it has before it is done': says(
    'context.progress(1); context.progress({ half: [true] })',
    'context.progress(new Map())',
    'try { context.progress(undefined) } catch (error) { return { state, result: `${error instanceof TypeError} ${error}` } }',
    'context.progress("x".repeat(65_535))',
    'context.progress(2); throw new Error("after all")',
    'globalThis.kept = context; return { state, result: typeof context.signal.aborted }',
    'globalThis.kept.progress("late")',
  ),
  'is asked to give up': {
    ...says(
      'return { state, result: context.signal.aborted }',
      'return new Promise((done) => { context.signal.onabort = (event) => done({ state, result: event.type }) })',
      `let heard = 0;
       const hear = () => { heard += 1; };
       context.signal.addEventListener('abort', hear);
       context.signal.addEventListener('abort', hear);
       context.signal.addEventListener('abort', { handleEvent: hear }, { once: true });
       context.signal.addEventListener('abort', () => { heard += 100 });
       context.signal.removeEventListener('abort', hear);
       return new Promise((done) => context.signal.addEventListener('abort', () => done({ state, result: heard })))`,
      `return new Promise((_, no) => context.signal.addEventListener('abort', () => no(context.signal.reason)))`,
      `return new Promise((done) => context.signal.addEventListener('abort', () => done()))
        .then(() => context.signal.throwIfAborted())`,
      `return new Promise((done) => context.signal.addEventListener('abort', () => done()))
        .then(() => ({ state, result: [String(context.signal.reason), context.signal.reason instanceof Error] }))`,
    ),
    cancels: true,
  },
  'works on before and after it answers': says(
    'Promise.resolve().then(() => { state.early = 1 })',
    'void (async () => { for (let at = 0; at < 50; at++) await null; state.late = 1; })()',
  ),
  'keeps its state in a form of its own': { agent: map, tasks: ['4', '-9', '-9', '1'] },
  'restores its state from a form of its own': { agent: map, state: '10', tasks: ['1'] },
  'gives a checkpoint that is none': {
    agent: `{ init: () => 0, handle: () => ({ state: 'x' }), restore: () => 0,
      checkpoint: (state) => state === 0 ? new Uint8Array(2).subarray(1) : state }`,
    tasks: ['1', '2'],
  },
  'cannot go back after a refused task': {
    agent: `{ init: () => 0, handle() { throw new Error('no') }, checkpoint: () => Uint8Array.of(1),
      restore() { throw new Error('lost it') } }`,
    tasks: ['1', '2'],
  },
  'has no default export with the functions': { agent: '{ init: () => 1 }' },
  'has nothing as its default export': { agent: 'undefined' },
  'has checkpoint without restore': { agent: '{ init: () => 1, handle() {}, checkpoint() {} }' },
  'throws while it is loaded': { agent: "(() => { throw new Error('not even this') })()" },
  'throws in init': { agent: "{ async init() { throw new Error('no desk') }, handle() {} }" },
  'has a first state that is not plain JSON': { agent: '{ init: () => new Set(), handle() {} }' },
  'cannot restore its state': { agent: counter, state: '{' },
};

async function inSimulator({ agent, tasks = [], state, cancels = false }: Case): Promise<Told[]> {
  const { code } = await transform(`export default ${agent}`, { format: 'iife', globalName: 'conclaveAgent' });
  const told: Told[] = [];
  try {
    const context = { agent: 'a', type: 'case', epoch, wallMs: () => 0, random: () => 0 };
    const running = agentModule(code, 'case').start(context, state === undefined ? undefined : encoder.encode(state));
    told.push({ started: decoder.decode(running.state) });
    for (const task of tasks) {
      const { ok, value, state, progress } = running.handle(encoder.encode(task), cancels, `t${told.length}`);
      const said = progress && { progress: progress.map((one) => decoder.decode(one)) };
      told.push({ ok, value: decoder.decode(value), state: decoder.decode(state), ...said });
    }
  } catch (error) {
    told.push({ failed: (error as Error).message });
  }
  return told;
}

describe('one contract, both hosts: an agent is told and tells the same in production and in the simulator when it', () => {
  let directory: string;
  let runner: Runner;
  let events: RunnerEvents;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'contract-'));
    runner = createWorkerRunner({
      workerUrl,
      directory,
      events: {
        ahead() {},
        returned() {},
        started: (...told) => events.started(...told),
        ran: (...told) => events.ran(...told),
        progress: (...told) => events.progress(...told),
        prepared() {},
        failed: (...told) => events.failed(...told),
      },
    });
  });

  afterAll(async () => {
    await runner.stopAll();
    await rm(directory, { recursive: true, force: true });
  });

  function inProduction({ agent, tasks = [], state, cancels = false }: Case): Promise<Told[]> {
    const told: Told[] = [];
    const source = `export default ${agent}`;
    let kept: Uint8Array = new Uint8Array(0);
    let progress: string[] = [];
    return new Promise((resolve) => {
      const next = (): void => {
        const task = tasks[told.length - 1];
        if (task === undefined) resolve(told);
        else runner.run('a', epoch, `t${told.length}`, encoder.encode(task));
        if (cancels) runner.cancel('a', epoch, `t${told.length}`);
      };
      events = {
        ahead() {},
        returned() {},
        started(_agent, _epoch, first) {
          told.push({ started: decoder.decode(first) });
          kept = state === undefined ? first : encoder.encode(state);
          next();
        },
        ran(_agent, _epoch, _task, ok, value, update) {
          kept = stateAfter(kept, update);
          const said = progress.length > 0 ? { progress } : undefined;
          progress = [];
          told.push({ ok, value: decoder.decode(value), state: decoder.decode(kept), ...said });
          next();
        },
        progress: (_agent, _epoch, _task, value) => void progress.push(decoder.decode(value)),
        prepared() {},
        failed(_agent, _epoch, reason) {
          told.push({ failed: reason });
          resolve(told);
        },
      };
      const from = state === undefined ? undefined : encoder.encode(state);
      runner.start({ agent: 'a', agentType: 'case', epoch, source, state: from });
    });
  }

  test.each(Object.entries(cases))('%s', async (_name, one) => {
    const told = await inProduction(one);
    expect(await inSimulator(one)).toEqual(told);
    expect(told.some((one) => 'started' in one)).toBe(one.tasks !== undefined);
  });

  test('rejects a promise that nobody handles, in the words of its end', async () => {
    const loose = says("void Promise.reject(new Error('loose'))");
    const failed = { failed: 'it threw outside its tasks: loose' };
    expect((await inSimulator(loose)).at(-1)).toEqual(failed);
    // Here the thread may end before or after its answer to the task is out.
    expect((await inProduction(loose)).at(-1)).toEqual(failed);
  });
});
