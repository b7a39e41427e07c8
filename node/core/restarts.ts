import { limits } from './settings.ts';

/** So many failures in a row, and an agent is said to be in a crash loop. */
export const crashLoopFailures = 3;
/** After so many in a row its host gives it up. */
const failuresMax = 6;
const waitMsMin = 100;
const waitMsMax = 10_000;
/** A new version that is no good is taken back before it has tried its tasks until they are set aside. */
const watchedMsMin = 500;
/** A start that lasts so long has held. */
const heldMs = 10_000;
/** So has one of which a task has gone well, after this long. */
const provenMs = 1_000;

/** What the leader is to know. */
export interface Failures {
  /** In a row; 0: a start has held. */
  failures: number;
  /** All of this placement. */
  total: number;
  reason: string;
  retryInMs: number;
}

/**
 * When an agent that failed on its host is started again: at once for the first time, then after longer and longer, until
 * a start holds. A row of failures ends when one does.
 */
export class Restarts {
  readonly #say: (said: Failures) => void;
  readonly #leastMs: number;
  /** The log says that it is in a crash loop. */
  isTold = false;
  #row = 0;
  #total = 0;
  #dueMs: number | undefined;
  #startedMs: number | undefined;
  #isProven = false;
  /** Every failure of the row was in the middle of a task. */
  #isOfTasks = true;
  reason = '';

  /** `isWatched`: its version of the code is new. */
  constructor(say: (said: Failures) => void = () => {}, isWatched = false) {
    this.#say = say;
    this.#leastMs = isWatched ? watchedMsMin : 0;
  }

  /** Says how it is, unless nothing is wrong or was. */
  tell(nowMs: number): void {
    const isOver = this.takeHeld(nowMs) || (this.isTold && this.hasHeld(nowMs));
    if (!isOver && this.#row === 0) return;
    const reason = this.reason.slice(0, limits.reasonLengthMax);
    const failures = isOver ? 0 : this.#row;
    this.#say({ failures, total: this.#total, reason, retryInMs: Math.round(this.waitsMs(nowMs)) });
  }

  /** Failures since a start that held. */
  get row(): number {
    return this.#row;
  }

  /** All failures of this placement. */
  get total(): number {
    return this.#total;
  }

  /**
   * Returns how long to wait before it is started again, ms; undefined: it has failed too often here. `inTask`: in the middle
   * of one, which may be to blame.
   */
  failed(reason: string, inTask: boolean, nowMs: number): number | undefined {
    this.takeHeld(nowMs);
    this.#isOfTasks = inTask && (this.#row === 0 || this.#isOfTasks);
    this.#row += 1;
    this.#total += 1;
    this.reason = reason;
    this.#startedMs = undefined;
    this.#isProven = false;
    if (this.#row >= failuresMax) return undefined;
    const rowMs = this.#row === 1 ? 0 : Math.min(waitMsMax, waitMsMin * 2 ** (this.#row - 2));
    const waitMs = Math.max(this.#leastMs, rowMs);
    if (waitMs > 0) this.#dueMs = nowMs + waitMs;
    return waitMs;
  }

  /** Time until it is started again, ms; 0 when nothing is waited for. */
  waitsMs(nowMs: number): number {
    return Math.max(0, (this.#dueMs ?? nowMs) - nowMs);
  }

  /** Whether it is to be started now. Told once. */
  takeDue(nowMs: number): boolean {
    if (this.#dueMs === undefined || nowMs < this.#dueMs) return false;
    this.#dueMs = undefined;
    return true;
  }

  started(nowMs: number): void {
    this.#startedMs ??= nowMs;
  }

  /** A task went well. Where others were to blame for all of the row, it is over. */
  proven(): void {
    this.#isProven = true;
    if (this.#isOfTasks) this.#row = 0;
  }

  /** Whether a row of failures is over now. Told once. */
  takeHeld(nowMs: number): boolean {
    if (this.#row === 0 || !this.hasHeld(nowMs)) return false;
    this.#row = 0;
    return true;
  }

  hasHeld(nowMs: number): boolean {
    if (this.#startedMs === undefined) return false;
    return nowMs - this.#startedMs >= (this.#isProven ? provenMs : heldMs);
  }
}
