import type { StateChange } from './state-change.ts';

export interface ChangeLogLimits {
  changesMax: number;
  bytesMax: number;
}

/** The latest changes of an agent's state, by the sequence that each led to; the oldest go when there is no more room. */
export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  readonly #changes: { sequence: number; change: StateChange }[] = [];
  #bytes = 0;
  /** All that came after this sequence are here. */
  #since: number;

  constructor(since: number, limits: ChangeLogLimits) {
    this.#since = since;
    this.#limits = limits;
  }

  add(sequence: number, change: StateChange): void {
    this.#changes.push({ sequence, change });
    this.#bytes += change.inserted.byteLength;
    const { changesMax, bytesMax } = this.#limits;
    while (this.#changes.length > changesMax || this.#bytes > bytesMax) {
      const oldest = this.#changes.shift();
      if (oldest === undefined) break;
      this.#bytes -= oldest.change.inserted.byteLength;
      this.#since = oldest.sequence;
    }
  }

  /** The changes after a sequence, oldest first; undefined when some of them are gone. */
  after(sequence: number): StateChange[] | undefined {
    if (sequence < this.#since) return undefined;
    const from = this.#changes.findLastIndex((entry) => entry.sequence <= sequence) + 1;
    return this.#changes.slice(from).map(({ change }) => change);
  }
}
