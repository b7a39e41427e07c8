import { parentPort } from 'node:worker_threads';
import type { AgentContext, AgentModule } from './agent.ts';

/** What the runner says to the thread: `start` once, then one `run` at a time. */
export type ToWorker =
  | { type: 'start'; moduleUrl: string; context: AgentContext; state: Uint8Array | undefined }
  | { type: 'run'; task: string; payload: Uint8Array };

/** What the thread answers. */
export type FromWorker =
  | { type: 'started'; state: Uint8Array }
  | { type: 'ran'; task: string; ok: boolean; value: Uint8Array; state: Uint8Array }
  | { type: 'failed'; reason: string };

const reasonLengthMax = 2_000;
const nestingMax = 200;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

let agent: AgentModule<unknown>;
let context: AgentContext;
let state: unknown;
/** The state as last checkpointed: what a refused task goes back to. */
let kept: Uint8Array;

const say = (message: FromWorker): void => parentPort?.postMessage(message);

function reasonOf(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.message || error.name}` : String(error);
    return text.slice(0, reasonLengthMax);
  } catch {
    return 'it threw something that cannot be shown as text';
  }
}

/**
 * Where and why a value would not come back from JSON as what it is, such as `.bids is a Map`; undefined when it
 * would. JSON itself turns a Map into {} and NaN into null without a word, and the loss would show after a recovery.
 */
function whyNotJson(value: unknown, nesting = 0): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : ` is ${value}`;
  if (typeof value !== 'object') return ` is ${value === undefined ? 'undefined' : `a ${typeof value}`}`;
  if (nesting >= nestingMax) throw new TypeError(`it is nested more than ${nestingMax} deep, or in a circle`);
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const why = whyNotJson(value[at], nesting + 1);
      if (why !== undefined) return `[${at}]${why}`;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return ` is a ${value.constructor?.name ?? 'class'}`;
  for (const [key, part] of Object.entries(value)) {
    // A field that is undefined is the same as none.
    const why = part === undefined ? undefined : whyNotJson(part, nesting + 1);
    if (why !== undefined) return `.${key}${why}`;
  }
  return undefined;
}

function jsonOf(value: unknown, what: string, advice: string): Uint8Array {
  let why: string | undefined;
  try {
    why = whyNotJson(value);
  } catch (error) {
    why = `: ${reasonOf(error)}`;
  }
  if (why !== undefined) throw new TypeError(`${what} is not plain JSON: ${what}${why}. ${advice}`);
  return encoder.encode(JSON.stringify(value));
}

/** The state as bytes of its own: neither the agent nor a pool of buffers shares their memory. */
function checkpointOf(next: unknown): Uint8Array {
  if (agent.checkpoint === undefined) {
    return jsonOf(next, 'state', 'Keep plain objects, or give the agent checkpoint and restore.');
  }
  const bytes: unknown = agent.checkpoint(next);
  if (!(bytes instanceof Uint8Array)) throw new TypeError('checkpoint must return a Uint8Array');
  return new Uint8Array(bytes);
}

async function restored(bytes: Uint8Array): Promise<unknown> {
  if (agent.restore !== undefined) return agent.restore(bytes.slice(), context);
  return JSON.parse(decoder.decode(bytes));
}

function checkedModule(loaded: { default?: unknown }): AgentModule<unknown> {
  const module = loaded.default as AgentModule<unknown> | undefined;
  if (typeof module?.init !== 'function' || typeof module.handle !== 'function') {
    throw new TypeError('it needs a default export with the functions init and handle');
  }
  if ((module.checkpoint === undefined) !== (module.restore === undefined)) {
    throw new TypeError('it needs both checkpoint and restore, or neither');
  }
  return module;
}

async function start(message: Extract<ToWorker, { type: 'start' }>): Promise<void> {
  let step = 'its module cannot be used';
  try {
    agent = checkedModule((await import(message.moduleUrl)) as { default?: unknown });
    context = Object.freeze(message.context);
    step = message.state === undefined ? 'init failed' : 'its state cannot be restored';
    state = message.state === undefined ? await agent.init(context) : await restored(message.state);
    step = 'its first checkpoint failed';
    kept = checkpointOf(state);
  } catch (error) {
    say({ type: 'failed', reason: `${step}: ${reasonOf(error)}` });
    return;
  }
  say({ type: 'started', state: kept });
}

async function run({ task, payload }: Extract<ToWorker, { type: 'run' }>): Promise<void> {
  try {
    const answer: unknown = await agent.handle(state, JSON.parse(decoder.decode(payload)), context);
    if (typeof answer !== 'object' || answer === null || !('state' in answer)) {
      throw new TypeError('handle must return { state, result }');
    }
    const result = 'result' in answer ? answer.result : undefined;
    const value = jsonOf(result ?? null, 'result', 'Return plain objects.');
    const next = checkpointOf(answer.state);
    state = answer.state;
    kept = next;
    say({ type: 'ran', task, ok: true, value, state: kept });
  } catch (error) {
    // The task may have changed half of the state before it threw.
    state = await restored(kept);
    const value = encoder.encode(JSON.stringify({ reason: reasonOf(error) }));
    say({ type: 'ran', task, ok: false, value, state: kept });
  }
}

parentPort?.on('message', (message: ToWorker) => {
  const work = message.type === 'start' ? start(message) : run(message);
  work.catch((error: unknown) => {
    say({ type: 'failed', reason: `the state before a refused task cannot be restored: ${reasonOf(error)}` });
  });
});
