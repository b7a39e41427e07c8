import type { TaskResult } from './message.ts';
import { limits } from './settings.ts';

/**
 * The results of an agent's latest tasks, by task id: a task sent again gets the same answer and takes effect once.
 * Bounded by `resultsMax` and `resultsBytesMax`, oldest first; every holder drops the same ones.
 */
export class ResultTable {
  readonly #byTask = new Map<string, TaskResult>();
  #bytes = 0;

  constructor(results: Iterable<TaskResult> = []) {
    for (const result of results) this.add(result);
  }

  get(task: string): TaskResult | undefined {
    return this.#byTask.get(task);
  }

  /** Adds the newest result and returns those that had to go. */
  add(result: TaskResult): TaskResult[] {
    if (this.#byTask.has(result.task)) return [];
    this.#byTask.set(result.task, result);
    this.#bytes += sizeOf(result);
    const dropped: TaskResult[] = [];
    for (const oldest of this.#byTask.values()) {
      if (this.#byTask.size <= limits.resultsMax && this.#bytes <= limits.resultsBytesMax) break;
      this.#byTask.delete(oldest.task);
      this.#bytes -= sizeOf(oldest);
      dropped.push(oldest);
    }
    return dropped;
  }

  /** Oldest first. */
  all(): TaskResult[] {
    return [...this.#byTask.values()];
  }

  /** The results after a sequence; undefined when some of them are dropped already. */
  after(sequence: number): TaskResult[] | undefined {
    const [oldest] = this.#byTask.values();
    if (oldest === undefined || oldest.sequence > sequence + 1) return undefined;
    return this.all().slice(sequence + 1 - oldest.sequence);
  }
}

const sizeOf = (result: TaskResult): number => result.value.byteLength + result.task.length + 16;
