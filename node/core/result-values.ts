import type { TaskResult } from './message.ts';

/** Results that have a value, oldest first, and the bytes of these together. */
export class ResultValues {
  readonly #bytesMax: number;
  readonly #valued = new Map<string, TaskResult>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(result: TaskResult): void {
    this.drop(this.#valued.get(result.task) ?? result);
    if (result.value.byteLength === 0) return;
    this.#valued.set(result.task, result);
    this.#bytes += result.value.byteLength;
  }

  drop(result: TaskResult): void {
    if (this.#valued.get(result.task) !== result) return;
    this.#bytes -= result.value.byteLength;
    this.#valued.delete(result.task);
  }

  /** Drops the oldest until the rest is no more than may be, and returns these. */
  dropOldest(): TaskResult[] {
    // Not for nothing: the way to the oldest entry of a map leads over all those that were deleted before it.
    if (this.#bytes <= this.#bytesMax) return [];
    const dropped: TaskResult[] = [];
    for (const oldest of this.#valued.values()) {
      this.drop(oldest);
      dropped.push(oldest);
      if (this.#bytes <= this.#bytesMax) break;
    }
    return dropped;
  }
}
