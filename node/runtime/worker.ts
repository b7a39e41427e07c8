import { parentPort } from 'node:worker_threads';
import type { AgentContext, AgentModule } from './agent.ts';

/** What the runner says to the thread. */
export type ToWorker =
  | { type: 'start'; moduleUrl: string; context: AgentContext; state: Uint8Array | undefined }
  | { type: 'run'; task: string; payload: Uint8Array };

/** What the thread answers. */
export type FromWorker =
  | { type: 'started'; state: Uint8Array }
  | { type: 'ran'; task: string; ok: boolean; value: Uint8Array; state: Uint8Array }
  | { type: 'failed'; reason: string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

let module: AgentModule<unknown>;
let context: AgentContext;
let state: unknown;
/** The state as last checkpointed: what a throw goes back to. */
let kept: Uint8Array;

const say = (message: FromWorker): void => parentPort?.postMessage(message);
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function checkpoint(): Uint8Array {
  if (module.checkpoint !== undefined) return module.checkpoint(state);
  const text = JSON.stringify(state);
  if (text === undefined) throw new TypeError('the state is not JSON: give the agent a checkpoint and a restore');
  return encoder.encode(text);
}

async function restore(bytes: Uint8Array): Promise<unknown> {
  return module.restore !== undefined ? module.restore(bytes, context) : JSON.parse(decoder.decode(bytes));
}

async function start(message: Extract<ToWorker, { type: 'start' }>): Promise<void> {
  const loaded = (await import(message.moduleUrl)) as { default?: AgentModule<unknown> };
  if (typeof loaded.default?.init !== 'function' || typeof loaded.default.handle !== 'function') {
    throw new TypeError('the module has no default export with init and handle');
  }
  module = loaded.default;
  context = message.context;
  state = message.state === undefined ? await module.init(context) : await restore(message.state);
  kept = checkpoint();
  say({ type: 'started', state: kept });
}

async function run({ task, payload }: Extract<ToWorker, { type: 'run' }>): Promise<void> {
  try {
    const answer = await module.handle(state, JSON.parse(decoder.decode(payload)), context);
    if (typeof answer !== 'object' || answer === null || !('state' in answer)) {
      throw new TypeError('handle must return { state, result }');
    }
    state = answer.state;
    const value = encoder.encode(JSON.stringify(answer.result ?? null));
    kept = checkpoint();
    say({ type: 'ran', task, ok: true, value, state: kept });
  } catch (error) {
    // The task may have changed half of the state before it threw.
    state = await restore(kept);
    const value = encoder.encode(JSON.stringify({ reason: reasonOf(error) }));
    say({ type: 'ran', task, ok: false, value, state: kept });
  }
}

parentPort?.on('message', (message: ToWorker) => {
  const work = message.type === 'start' ? start(message) : run(message);
  work.catch((error: unknown) => say({ type: 'failed', reason: reasonOf(error) }));
});
