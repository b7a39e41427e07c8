import type { TaskResult } from './message.ts';
import { limits } from './settings.ts';

/** What adding a result did to older ones. */
export interface Displaced {
  /** Forgotten altogether. */
  removed: TaskResult[];
  /** Still known as done, as they stand here: without their value. */
  stripped: TaskResult[];
}

/** Whether the task is over: done, refused, or cancelled. Else it was begun without an end, or is set aside. */
export const isOver = (result: TaskResult): boolean => result.tries === undefined && result.aside === undefined;

const nothing = new Uint8Array(0);

/**
 * What became of an agent's latest tasks, by task id: one sent again gets the same answer and takes effect once. The
 * latest `resultsMax` steps are known; of their values the latest `resultsBytesMax` bytes are kept. Tasks that are set
 * aside stay known beyond that, the latest `asideMax` of them. Every holder drops the same ones.
 */
export class ResultTable {
  readonly #byTask = new Map<string, TaskResult>();
  /** Every step, oldest first, from `#head` on: reading the newest costs the same however many are known. */
  #ordered: TaskResult[] = [];
  #head = 0;
  /** Those that have a value, oldest first. */
  readonly #valued = new Map<string, TaskResult>();
  #bytes = 0;
  /** Tasks that are set aside, oldest first. */
  readonly #aside = new Map<string, TaskResult>();
  #asideBytes = 0;

  constructor(results: Iterable<TaskResult> = []) {
    for (const result of results) this.add(result);
  }

  get(task: string): TaskResult | undefined {
    return this.#byTask.get(task);
  }

  /** Tasks that are set aside, oldest first. */
  aside(): TaskResult[] {
    return [...this.#aside.values()];
  }

  /** Adds the newest step. */
  add(result: TaskResult): Displaced {
    const displaced: Displaced = { removed: [], stripped: [] };
    // Only what is set aside is known beyond the steps that follow each other.
    if (this.#newest !== undefined && result.sequence !== this.#newest.sequence + 1) this.#forgetSteps(displaced);
    this.#takeBack(result.task, displaced);
    this.#byTask.set(result.task, result);
    this.#ordered.push(result);
    this.#keepValue(result);
    if (result.aside !== undefined) this.#setAside(result, displaced);
    while (this.#ordered.length - this.#head > limits.resultsMax) this.#removeOldest(displaced);
    if (this.#bytes > limits.resultsBytesMax) this.#stripOldest(displaced);
    return displaced;
  }

  /** Forgets the steps below a sequence, but never the newest one. */
  forgetBelow(sequence: number): TaskResult[] {
    const displaced: Displaced = { removed: [], stripped: [] };
    while (this.#ordered.length - this.#head > 1 && (this.#oldest as TaskResult).sequence < sequence) {
      this.#removeOldest(displaced);
    }
    return displaced.removed;
  }

  get #oldest(): TaskResult | undefined {
    return this.#ordered[this.#head];
  }

  get #newest(): TaskResult | undefined {
    return this.#ordered.at(-1);
  }

  #forgetSteps(displaced: Displaced): void {
    while (this.#ordered.length > this.#head) this.#removeOldest(displaced);
  }

  #removeOldest(displaced: Displaced): void {
    const oldest = this.#oldest as TaskResult;
    this.#head += 1;
    if (this.#head > limits.resultsMax) {
      this.#ordered = this.#ordered.slice(this.#head);
      this.#head = 0;
    }
    if (this.#aside.get(oldest.task) === oldest) return;
    displaced.removed.push(oldest);
    if (this.#byTask.get(oldest.task) !== oldest) return;
    this.#byTask.delete(oldest.task);
    this.#dropValue(oldest.task);
  }

  /** How many are older: sequences follow each other without a gap. */
  #placeOf(sequence: number): number {
    return sequence - (this.#oldest as TaskResult).sequence;
  }

  /** The same step from now on stands there as `after`. */
  #replace(before: TaskResult, after: TaskResult, displaced: Displaced): void {
    const place = this.#placeOf(before.sequence);
    if (place < 0) {
      displaced.removed.push(before);
      if (this.#byTask.get(before.task) === before) this.#byTask.delete(before.task);
      return;
    }
    if (this.#byTask.get(before.task) === before) this.#byTask.set(before.task, after);
    this.#ordered[this.#head + place] = after;
    displaced.stripped.push(after);
  }

  /** Not to be called for nothing: the way to the oldest entry of a map leads over all those that were deleted before it. */
  #stripOldest(displaced: Displaced): void {
    for (const oldest of this.#valued.values()) {
      this.#dropValue(oldest.task);
      this.#replace(oldest, { ...oldest, value: nothing, valueDropped: true }, displaced);
      if (this.#bytes <= limits.resultsBytesMax) break;
    }
  }

  #keepValue(result: TaskResult): void {
    if (result.value.byteLength === 0) return;
    this.#valued.set(result.task, result);
    this.#bytes += result.value.byteLength;
  }

  #dropValue(task: string): void {
    this.#bytes -= this.#valued.get(task)?.value.byteLength ?? 0;
    this.#valued.delete(task);
  }

  // ---- set aside ----

  #setAside(result: TaskResult, displaced: Displaced): void {
    this.#aside.set(result.task, result);
    this.#asideBytes += result.aside?.payload.byteLength ?? 0;
    for (const oldest of this.#aside.values()) {
      if (this.#aside.size <= limits.asideMax && this.#asideBytes <= limits.asideBytesMax) break;
      if (oldest === result) break;
      this.#letGo(oldest);
      // It is over now: done, and for good without an effect.
      const { aside: _, ...rest } = oldest;
      this.#replace(oldest, { ...rest, cancelled: true }, displaced);
    }
  }

  /** A task that was set aside has a newer step: the older one need not be kept for its sake. */
  #takeBack(task: string, displaced: Displaced): void {
    const older = this.#aside.get(task);
    if (older === undefined) return;
    this.#letGo(older);
    if (this.#oldest === undefined || older.sequence < this.#oldest.sequence) displaced.removed.push(older);
    else
      this.#replace(
        older,
        { task, sequence: older.sequence, ok: false, value: nothing, valueDropped: false, tries: 0 },
        displaced,
      );
  }

  #letGo(result: TaskResult): void {
    this.#aside.delete(result.task);
    this.#asideBytes -= result.aside?.payload.byteLength ?? 0;
  }

  /** Oldest first. */
  all(): TaskResult[] {
    const from = this.#oldest?.sequence ?? Number.POSITIVE_INFINITY;
    const older = this.aside().filter(({ sequence }) => sequence < from);
    return [...older, ...this.#ordered.slice(this.#head)];
  }

  /** The steps after a sequence; undefined when some of them are dropped already. */
  after(sequence: number): TaskResult[] | undefined {
    const oldest = this.#oldest;
    if (oldest === undefined || oldest.sequence > sequence + 1) return undefined;
    return this.#ordered.slice(this.#head + this.#placeOf(sequence + 1));
  }
}
