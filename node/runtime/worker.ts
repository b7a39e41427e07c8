import { parentPort } from 'node:worker_threads';
import { AgentCode, progressPerSMax } from '../core/agent-code.ts';
import { changeBetween, type StateChange } from '../core/state-change.ts';
import type { AgentContext } from './agent.ts';
import { agentSurroundings } from './agent-surroundings.ts';
import { RateLimit } from './rate-limit.ts';

/** What the runner says to the thread: `start` once, then one `run` at a time, and perhaps a `cancel` of it. */
export type ToWorker =
  | { type: 'start'; moduleUrl: string; context: AgentContext; state: Uint8Array | undefined }
  | { type: 'run'; task: string; payload: Uint8Array }
  | { type: 'cancel'; task: string };

/** What the thread answers. */
export type FromWorker =
  | { type: 'started'; state: Uint8Array }
  | { type: 'ran'; task: string; ok: boolean; value: Uint8Array; change: StateChange | undefined }
  | { type: 'progress'; task: string; value: Uint8Array }
  | { type: 'failed'; reason: string };

const say = (message: FromWorker): void => parentPort?.postMessage(message);

/** The task that the code is at. */
let running = '';
/** The checkpoint that the node knows. */
let told: Uint8Array | undefined;

const nothing = new Uint8Array(0);

/** What the node is to be told of a checkpoint: no more than what changed. */
function changeTo(state: Uint8Array): StateChange | undefined {
  const change = changeBetween(told ?? nothing, state);
  told = state;
  return change;
}

const progressRate = new RateLimit(progressPerSMax);
const now = performance.now.bind(performance);

const code = new AgentCode(agentSurroundings, {
  started(state) {
    // What it was started from is what the node has, even where a checkpoint of it would be other bytes.
    told ??= state;
    say({ type: 'started', state });
  },
  ran: (ok, value, state) => say({ type: 'ran', task: running, ok, value, change: ok ? changeTo(state) : undefined }),
  progress: (value) => progressRate.passes(now()) && say({ type: 'progress', task: running, value }),
  failed: (reason) => say({ type: 'failed', reason }),
});

parentPort?.on('message', (message: ToWorker) => {
  if (message.type === 'start') {
    told = message.state;
    code.start(() => import(message.moduleUrl), message.context, message.state);
  } else if (message.type === 'run') {
    running = message.task;
    code.run(message.payload);
  } else if (message.task === running) {
    code.cancel();
  }
});
