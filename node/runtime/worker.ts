import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { parentPort } from 'node:worker_threads';
import { AgentCode, progressPerSMax } from '../core/agent-code.ts';
import { joined } from '../core/bytes.ts';
import { changeBetween, type StateChange } from '../core/state-change.ts';
import type { Versions } from '../core/version-change.ts';
import type { AgentContext } from './agent.ts';
import { agentSurroundings } from './agent-surroundings.ts';
import { aheadBytes } from './ahead-bytes.ts';
import { refuseSharedMemory } from './no-shared-memory.ts';
import { RateLimit } from './rate-limit.ts';
import { markOutput } from './seat-output.ts';
import { ThreadBoard } from './thread-board.ts';

/**
 * What the node says to the thread: perhaps `load`, `open` first; then, for each seat, `start` once, the beginning of a large
 * state in `state` before it, one `run` at a time, perhaps a `cancel` of it, `renew` when there is another epoch, `more`
 * after each `ahead`, and `leave` at the end. `ping` is answered when the thread has gone round once: what was ready is done.
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
  | { type: 'state'; seat: number; bytes: Uint8Array }
  | { type: 'more'; seat: number }
  | { type: 'run'; seat: number; task: string; payload: Uint8Array; merges: boolean }
  | { type: 'cancel'; seat: number; task: string }
  | { type: 'renew'; seat: number; epoch: number }
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
  /** Stands before the state of what follows, or before what its change inserts. The next comes when `more` is asked for. */
  | { type: 'ahead'; seat: number; bytes: Uint8Array }
  | { type: 'failed'; seat: number; reason: string }
  | { type: 'left'; seat: number }
  | { type: 'pong'; seat: number };

refuseSharedMemory();

const nothing = new Uint8Array(0);
const say = (message: FromWorker): void => parentPort?.postMessage(message);
const now = performance.now.bind(performance);
const soon = setImmediate;

/** Whose code runs, wherever it goes on after it waited. */
const residentNow = new AsyncLocalStorage<Resident>();
const residents = new Map<number, Resident>();
/** By seat: what of a large state is here before it starts. */
const beginnings = new Map<number, Uint8Array[]>();
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
  /** What goes ahead of what it has to say, piece by piece. */
  #ahead: { bytes: Uint8Array; at: number; last: (rest: Uint8Array) => void } | undefined;
  #isBusy = true;
  #isLeaving = false;

  constructor(seat: number) {
    this.seat = seat;
    this.#code = new AgentCode(agentSurroundings, {
      started: (state) => {
        const isKnown = this.#told !== undefined;
        this.#told ??= state;
        if (isKnown) this.#done({ type: 'started', seat, state: undefined });
        else this.#sayAhead(state, (rest) => this.#done({ type: 'started', seat, state: rest }));
      },
      ran: (ok, value, state, outputs) => {
        const task = this.#running ?? '';
        const change = ok ? this.#changeTo(state) : undefined;
        const ran = { type: 'ran', seat, task, ok, value, outputs } as const;
        if (change === undefined) return this.#done({ ...ran, change });
        this.#sayAhead(change.inserted, (inserted) => this.#done({ ...ran, change: { ...change, inserted } }));
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
    const before = beginnings.get(this.seat) ?? [];
    beginnings.delete(this.seat);
    const from = before.length === 0 || state === undefined ? state : joined([...before, state]);
    this.#told = change === undefined ? from : undefined;
    const { newerUrl } = change ?? {};
    const newer = newerUrl === undefined ? undefined : () => import(newerUrl);
    this.#enter(() => this.#code.start(() => import(moduleUrl), context, from, change && { ...change, newer }));
  }

  run({ task, payload, merges }: Extract<ToWorker, { type: 'run' }>): void {
    this.#running = task;
    this.#isBusy = true;
    this.#enter(() => (merges ? this.#code.merge(payload, task) : this.#code.run(payload, task)));
  }

  renew(epoch: number): void {
    this.#code.renew(epoch);
  }

  cancel(task: string): void {
    if (task === this.#running) this.#resume(() => this.#code.cancel());
  }

  /** Leaves when it is done with what it is at, which it is asked to give up. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#ahead !== undefined) this.#left();
    else if (this.#isBusy) this.#resume(() => this.#code.cancel());
    else this.#left();
  }

  /** What the node is to be told of a checkpoint: no more than what changed. */
  #changeTo(state: Uint8Array): StateChange | undefined {
    const change = changeBetween(this.#told ?? nothing, state);
    this.#told = state;
    return change;
  }

  /** Too much for one turn of the node's goes there piece by piece, each when the one before has been taken in. */
  #sayAhead(bytes: Uint8Array, then: (rest: Uint8Array) => void): void {
    if (bytes.byteLength <= aheadBytes) return then(bytes);
    this.#ahead = { bytes, at: 0, last: then };
    this.more();
  }

  more(): void {
    const ahead = this.#ahead;
    if (ahead === undefined) return;
    const piece = ahead.bytes.slice(ahead.at, ahead.at + aheadBytes);
    ahead.at += piece.byteLength;
    const isLast = ahead.at >= ahead.bytes.byteLength;
    if (!isLast) parentPort?.postMessage({ type: 'ahead', seat: this.seat, bytes: piece }, [piece.buffer]);
    else {
      this.#ahead = undefined;
      ahead.last(piece);
    }
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

/** Heard and not done yet. */
let heard: ToWorker[] = [];

parentPort?.on('message', (said: ToWorker | ToWorker[]) => {
  const isAtIt = heard.length > 0;
  heard.push(...(Array.isArray(said) ? said : [said]));
  if (!isAtIt) next();
});

/** One in each turn: what an agent answers is on its way before another one's code may hold up the thread, or end it. */
function next(): void {
  const [message] = heard;
  if (message !== undefined) take(message);
  heard = heard.slice(1);
  if (heard.length > 0) soon(next);
}

function take(message: ToWorker): void {
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
  if (message.type === 'state') {
    beginnings.set(seat, [...(beginnings.get(seat) ?? []), message.bytes]);
    return;
  }
  if (message.type === 'start') residents.set(seat, new Resident(seat));
  // It goes again before all of its state was here.
  else if (beginnings.delete(seat)) return say({ type: 'left', seat });
  const resident = residents.get(seat);
  if (message.type === 'ping') soon(() => soon(() => say({ type: 'pong', seat })));
  else if (message.type === 'start') resident?.start(message);
  else if (message.type === 'more') resident?.more();
  else if (message.type === 'renew') resident?.renew(message.epoch);
  else if (message.type === 'run') resident?.run(message);
  else if (message.type === 'cancel') resident?.cancel(message.task);
  else resident?.leave();
}
