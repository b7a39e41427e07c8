import type { TaskResult } from './message.ts';
import { limits } from './settings.ts';

/** What adding a result did to older ones. */
export interface Displaced {
  /** Forgotten altogether. */
  removed: TaskResult[];
  /** Still known as done, as they stand here: without their value. */
  stripped: TaskResult[];
}

/**
 * The results of an agent's latest tasks, by task id: a task sent again gets the same answer and takes effect once.
 * The latest `resultsMax` are known; of their values the latest `resultsBytesMax` bytes are kept. Every holder drops
 * the same ones.
 */
export class ResultTable {
  readonly #byTask = new Map<string, TaskResult>();
  /** The same ones, oldest first, from `#head` on: reading the newest costs the same however many are known. */
  #ordered: TaskResult[] = [];
  #head = 0;
  /** Those that have a value, oldest first. */
  readonly #valued = new Map<string, TaskResult>();
  #bytes = 0;

  constructor(results: Iterable<TaskResult> = []) {
    for (const result of results) this.add(result);
  }

  get(task: string): TaskResult | undefined {
    return this.#byTask.get(task);
  }

  /** Adds the newest result. */
  add(result: TaskResult): Displaced {
    const displaced: Displaced = { removed: [], stripped: [] };
    if (this.#byTask.has(result.task)) return displaced;
    this.#byTask.set(result.task, result);
    this.#ordered.push(result);
    this.#keepValue(result);
    while (this.#byTask.size > limits.resultsMax) displaced.removed.push(this.#removeOldest());
    for (const oldest of this.#valued.values()) {
      if (this.#bytes <= limits.resultsBytesMax) break;
      this.#dropValue(oldest.task);
      const stripped = { ...oldest, value: new Uint8Array(0), valueDropped: true };
      this.#byTask.set(oldest.task, stripped);
      this.#ordered[this.#head + this.#placeOf(oldest.sequence)] = stripped;
      displaced.stripped.push(stripped);
    }
    return displaced;
  }

  #removeOldest(): TaskResult {
    const oldest = this.#ordered[this.#head] as TaskResult;
    this.#head += 1;
    if (this.#head > limits.resultsMax) {
      this.#ordered = this.#ordered.slice(this.#head);
      this.#head = 0;
    }
    this.#byTask.delete(oldest.task);
    this.#dropValue(oldest.task);
    return oldest;
  }

  /** How many are older: sequences follow each other without a gap. */
  #placeOf(sequence: number): number {
    return sequence - (this.#ordered[this.#head] as TaskResult).sequence;
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

  /** Oldest first. */
  all(): TaskResult[] {
    return this.#ordered.slice(this.#head);
  }

  /** The results after a sequence; undefined when some of them are dropped already. */
  after(sequence: number): TaskResult[] | undefined {
    const oldest = this.#ordered[this.#head];
    if (oldest === undefined || oldest.sequence > sequence + 1) return undefined;
    return this.#ordered.slice(this.#head + this.#placeOf(sequence + 1));
  }
}
