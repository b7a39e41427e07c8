import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { parentPort } from 'node:worker_threads';
import { AgentCode, progressPerSMax } from '../core/agent-code.ts';
import { changeBetween, type StateChange } from '../core/state-change.ts';
import type { Versions } from '../core/version-change.ts';
import type { AgentContext } from './agent.ts';
import { agentSurroundings } from './agent-surroundings.ts';
import { RateLimit } from './rate-limit.ts';
import { markOutput } from './seat-output.ts';
import { ThreadBoard } from './thread-board.ts';

/**
 * What the node says to the thread: perhaps `load`, `open` first; then, for each seat, `start` once, one `run` at a time, perhaps a
 * `cancel` of it, and `leave` at the end. `ping` is answered when the thread has gone round once: what was ready is done.
 */
export type ToWorker =
  | { type: 'load'; moduleUrl: string }
  | { type: 'open'; board: SharedArrayBuffer; shared: boolean }
  | {
      type: 'start';
      seat: number;
      moduleUrl: string;
      context: AgentContext;
      state: Uint8Array | undefined;
      change?: ThreadChange | undefined;
    }
  | { type: 'run'; seat: number; task: string; payload: Uint8Array; merges: boolean }
  | { type: 'cancel'; seat: number; task: string }
  | { type: 'leave'; seat: number }
  | { type: 'ping'; seat: number };

/** `newerUrl`: of the module of `from`, where that is the newer one. */
export interface ThreadChange extends Versions {
  newerUrl: string | undefined;
}

/** What the thread answers. After `failed` and `left` the seat is empty. */
export type FromWorker =
  | { type: 'loaded'; reason: string }
  /** Without a state: it is the one that it was started from. */
  | { type: 'started'; seat: number; state: Uint8Array | undefined }
  | {
      type: 'ran';
      seat: number;
      task: string;
      ok: boolean;
      value: Uint8Array;
      change: StateChange | undefined;
      outputs: Uint8Array | undefined;
    }
  | { type: 'progress'; seat: number; task: string; value: Uint8Array }
  | { type: 'failed'; seat: number; reason: string }
  | { type: 'left'; seat: number }
  | { type: 'pong'; seat: number };

const nothing = new Uint8Array(0);
const say = (message: FromWorker): void => parentPort?.postMessage(message);
const now = performance.now.bind(performance);
const soon = setImmediate;

/** Whose code runs, wherever it goes on after it waited. */
const residentNow = new AsyncLocalStorage<Resident>();
const residents = new Map<number, Resident>();
let board: ThreadBoard | undefined;
let isShared = false;

/** One agent of this thread. */
class Resident {
  readonly seat: number;
  readonly #code: AgentCode;
  readonly #progressRate = new RateLimit(progressPerSMax);
  /** The checkpoint that the node knows. */
  #told: Uint8Array | undefined;
  /** The task that the code is at. */
  #running: string | undefined;
  #isBusy = true;
  #isLeaving = false;

  constructor(seat: number) {
    this.seat = seat;
    this.#code = new AgentCode(agentSurroundings, {
      started: (state) => {
        const isKnown = this.#told !== undefined;
        this.#told ??= state;
        this.#done({ type: 'started', seat, state: isKnown ? undefined : state });
      },
      ran: (ok, value, state, outputs) => {
        const task = this.#running ?? '';
        this.#done({ type: 'ran', seat, task, ok, value, change: ok ? this.#changeTo(state) : undefined, outputs });
      },
      progress: (value) => {
        const task = this.#running;
        if (task !== undefined && this.#progressRate.passes(now())) say({ type: 'progress', seat, task, value });
      },
      failed: (reason) => {
        residents.delete(seat);
        say({ type: 'failed', seat, reason });
      },
    });
  }

  start({ moduleUrl, context, state, change }: Extract<ToWorker, { type: 'start' }>): void {
    this.#told = change === undefined ? state : undefined;
    const { newerUrl } = change ?? {};
    const newer = newerUrl === undefined ? undefined : () => import(newerUrl);
    this.#enter(() => this.#code.start(() => import(moduleUrl), context, state, change && { ...change, newer }));
  }

  run({ task, payload, merges }: Extract<ToWorker, { type: 'run' }>): void {
    this.#running = task;
    this.#isBusy = true;
    this.#enter(() => (merges ? this.#code.merge(payload, task) : this.#code.run(payload, task)));
  }

  cancel(task: string): void {
    if (task === this.#running) this.#resume(() => this.#code.cancel());
  }

  /** Leaves when it is done with what it is at, which it is asked to give up. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#isBusy) this.#resume(() => this.#code.cancel());
    else this.#left();
  }

  /** What the node is to be told of a checkpoint: no more than what changed. */
  #changeTo(state: Uint8Array): StateChange | undefined {
    const change = changeBetween(this.#told ?? nothing, state);
    this.#told = state;
    return change;
  }

  #done(message: FromWorker): void {
    this.#isBusy = false;
    this.#running = undefined;
    if (this.#isLeaving) this.#left();
    else say(message);
  }

  #left(): void {
    residents.delete(this.seat);
    say({ type: 'left', seat: this.seat });
  }

  #enter(work: () => void): void {
    this.#resume(() => {
      board?.begin(this.seat);
      work();
    });
  }

  #resume(work: () => void): void {
    if (!isShared) return work();
    board?.enter(this.seat);
    residentNow.run(this, work);
    board?.enter(undefined);
  }
}

/** The seat of the agent whose code runs; none for what an agent left behind that is gone. */
function seatNow(): number | undefined {
  const resident = residentNow.getStore();
  return resident !== undefined && residents.get(resident.seat) === resident ? resident.seat : undefined;
}

/** From here on the board shows whose code the thread is at, and what is printed says so. */
function share(shown: ThreadBoard): void {
  isShared = true;
  createHook({ before: () => shown.enter(seatNow()), after: () => shown.enter(undefined) }).enable();
  // The thread ends then, and the node reads who ended it.
  process.on('uncaughtExceptionMonitor', () => shown.enter(seatNow()));
  for (const stream of [process.stdout, process.stderr]) markOutput(stream, seatNow);
}

parentPort?.on('message', (message: ToWorker) => {
  if (message.type === 'load') {
    const loaded = (reason: string): void => parentPort?.postMessage({ type: 'loaded', reason } satisfies FromWorker);
    void import(message.moduleUrl).then(
      () => loaded(''),
      (error: unknown) => loaded(`its code cannot be loaded: ${error}`),
    );
    return;
  }
  board?.hear();
  if (message.type === 'open') {
    board = new ThreadBoard(message.board);
    if (message.shared) share(board);
    return;
  }
  const { seat } = message;
  if (message.type === 'start') residents.set(seat, new Resident(seat));
  const resident = residents.get(seat);
  if (message.type === 'ping') soon(() => soon(() => say({ type: 'pong', seat })));
  else if (message.type === 'start') resident?.start(message);
  else if (message.type === 'run') resident?.run(message);
  else if (message.type === 'cancel') resident?.cancel(message.task);
  else resident?.leave();
});
