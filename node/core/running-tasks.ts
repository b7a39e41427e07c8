import type { RunningTask } from './agent-task-events.ts';
import type { QueuedTask } from './task-queue.ts';

/** Those behind the first together take about so long, ms: as much later may one come that is more urgent. */
const aheadMs = 5;
const aheadMax = 16;
/** A first one that takes longer than this has those behind it taken back, and gets no others, ms. */
const slowMs = 50;
/** Share of the newest task in the mean time of one. */
const newestShare = 0.1;

/**
 * What was given to the code of an agent: the task that it is at, and short ones behind that, so that it need not wait for
 * the next. Those are begun by nobody else: they are taken back before something else becomes of them.
 */
export class RunningTasks {
  #tasks: RunningTask[] = [];
  #meanTaskMs = 0;
  /** Those behind the first were asked back and have not come. */
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

  get(id: string): RunningTask | undefined {
    return this.#tasks.find(({ task }) => task.task === id);
  }

  /** Whether one more can be given to the code. */
  hasRoom(nowMs: number): boolean {
    const first = this.first;
    if (first === undefined) return true;
    if (first.isAlone || this.#isRecalled || nowMs - first.sinceMs >= slowMs) return false;
    return this.count <= Math.min(aheadMax, this.#meanTaskMs > 0 ? aheadMs / this.#meanTaskMs : 0);
  }

  /** `tries`: as a careful begin recorded them. `isAlone`: none is given beside it. */
  add(task: QueuedTask, tries: number, isAlone: boolean, nowMs: number): void {
    this.#tasks.push({ task, sinceMs: nowMs, tries, said: 0, isAlone, cancels: [] });
  }

  /** The code has done it, or refused it. The next one is begun with that. */
  end(id: string, nowMs: number): RunningTask | undefined {
    const ended = this.#take(id, nowMs);
    if (ended === undefined) return undefined;
    const tookMs = nowMs - ended.sinceMs;
    this.#meanTaskMs += (tookMs - this.#meanTaskMs) * (this.#meanTaskMs === 0 ? 1 : newestShare);
    return ended;
  }

  /** They come back and were not begun: they were asked back, or were late. */
  giveBack(ids: readonly string[], nowMs: number): RunningTask[] {
    this.#isRecalled = false;
    return ids.flatMap((id) => this.#take(id, nowMs) ?? []);
  }

  #take(id: string, nowMs: number): RunningTask | undefined {
    const at = this.#tasks.findIndex(({ task }) => task.task === id);
    if (at < 0) return undefined;
    const [taken] = this.#tasks.splice(at, 1);
    if (at === 0 && this.first !== undefined) this.first.sinceMs = nowMs;
    return taken;
  }

  takeAll(): RunningTask[] {
    const all = this.#tasks;
    this.#tasks = [];
    this.#isRecalled = false;
    return all;
  }

  /**
   * Whether those behind the first are to be asked back: it takes long, `isWanted`, or they keep something more urgent waiting.
   * `waitingPriority`: the highest of what was not given. Said once until they have come back.
   */
  takeRecall(isWanted: boolean, waitingPriority: number, nowMs: number): boolean {
    const [first, behind] = this.#tasks;
    if (first === undefined || behind === undefined || this.#isRecalled) return false;
    const isSlow = nowMs - first.sinceMs >= slowMs;
    this.#isRecalled = isWanted || isSlow || this.#isInTheWay(waitingPriority, nowMs);
    return this.#isRecalled;
  }

  /** Whether one behind the first stands before something more urgent, and has for longer than all of them were to take. */
  #isInTheWay(waitingPriority: number, nowMs: number): boolean {
    let highest = waitingPriority;
    for (let at = this.count - 1; at > 0; at--) {
      const one = this.#tasks[at];
      if (one === undefined) break;
      if (one.task.priority < highest && nowMs - one.sinceMs > aheadMs) return true;
      highest = Math.max(highest, one.task.priority);
    }
    return false;
  }
}
