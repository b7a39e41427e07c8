import type { RunningTask } from './agent-task-events.ts';
import type { QueuedTask } from './task-queue.ts';

/** Those behind the first together take about so long, ms: as much later may one come that is more urgent. */
const aheadMs = 5;
const aheadMax = 16;
/** A first one that takes longer than this has those behind it taken back, ms. */
const slowMs = 50;
/** Share of the newest task in the mean time of one. */
const newestShare = 0.1;
const retryAfterMsMin = 100;
const retryAfterMsMax = 60_000;

/**
 * What was given to the code of an agent: the task that it is at, and short ones behind that, so that it need not wait for
 * the next. Those are begun by nobody else: they are taken back before something else becomes of them.
 */
export class RunningTasks {
  #tasks: RunningTask[] = [];
  #meanTaskMs = 0;
  #isRecalled = false;

  get count(): number {
    return this.#tasks.length;
  }

  get all(): readonly RunningTask[] {
    return this.#tasks;
  }

  /** The task that the code is at. */
  get first(): RunningTask | undefined {
    return this.#tasks[0];
  }

  /** Mean time of a task, ms. */
  get meanTaskMs(): number {
    return this.#meanTaskMs;
  }

  /** Time in which half of so many tasks should be done, within bounds: when one more may come. */
  halfTimeMs(count: number): number {
    const ms = Math.round((count / 2) * this.#meanTaskMs);
    return Math.min(retryAfterMsMax, Math.max(retryAfterMsMin, ms));
  }

  get(id: string): RunningTask | undefined {
    return this.#tasks.find(({ task }) => task.task === id);
  }

  /** Whether one more can be given to the code. */
  get hasRoom(): boolean {
    const first = this.first;
    if (first === undefined) return true;
    if (first.isAlone || this.#isRecalled) return false;
    return this.count <= Math.min(aheadMax, this.#meanTaskMs > 0 ? aheadMs / this.#meanTaskMs : 0);
  }

  /** `tries`: as a careful begin recorded them. `isAlone`: none is given beside it. */
  add(task: QueuedTask, tries: number, isAlone: boolean, nowMs: number): void {
    this.#tasks.push({ task, sinceMs: nowMs, tries, said: 0, isAlone, cancels: [] });
  }

  /** The code has done it, or refused it. The next one is begun with that. */
  end(id: string, nowMs: number): RunningTask | undefined {
    const ended = this.take(id);
    if (ended === undefined) return undefined;
    const tookMs = nowMs - ended.sinceMs;
    this.#meanTaskMs += (tookMs - this.#meanTaskMs) * (this.#meanTaskMs === 0 ? 1 : newestShare);
    if (this.first !== undefined) this.first.sinceMs = nowMs;
    this.#isRecalled = false;
    return ended;
  }

  /** It is not to be done here, or not now. */
  take(id: string): RunningTask | undefined {
    const at = this.#tasks.findIndex(({ task }) => task.task === id);
    return at < 0 ? undefined : this.#tasks.splice(at, 1)[0];
  }

  takeAll(): RunningTask[] {
    const all = this.#tasks;
    this.#tasks = [];
    this.#isRecalled = false;
    return all;
  }

  /** Whether those behind the first are to be asked back: it takes long, or `isWanted`. Said once until one ends. */
  takeRecall(isWanted: boolean, nowMs: number): boolean {
    const [first, behind] = this.#tasks;
    if (first === undefined || behind === undefined || this.#isRecalled) return false;
    this.#isRecalled = isWanted || nowMs - first.sinceMs >= slowMs;
    return this.#isRecalled;
  }
}
