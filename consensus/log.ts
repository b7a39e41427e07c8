import type { Entry } from './entry.ts';
import { entriesFault } from './message.ts';

/** What the disk must do to hold the same log: cut first, then append. */
export interface LogChange {
  /** Remove what the disk holds from the first to the second of these, both included. */
  cut: { from: number; through: number } | undefined;
  entries: Entry[];
}

/**
 * The replicated log in memory, and what of it the disk does not know yet. It begins behind `baseIndex`, which is 0
 * while there are no snapshots: everybody else asks this class for terms and entries, never for array places.
 */
export class Log {
  readonly #baseIndex = 0;
  readonly #baseTerm = 0;
  readonly #entries: Entry[];
  /** First index that has not been handed out for the disk. */
  #unsavedFrom: number;
  #cut: { from: number; through: number } | undefined;

  /** Throws when the entries do not follow each other from index 1, or are of a term above `termMax`. */
  constructor(entries: readonly Entry[], termMax: number) {
    const fault = entriesFault(entries, this.#baseIndex, this.#baseTerm, termMax);
    if (fault !== undefined) {
      throw new Error(`The stored log cannot be used: ${fault}. Nothing was changed. Let this node join anew.`);
    }
    this.#entries = [...entries];
    this.#unsavedFrom = this.lastIndex + 1;
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#baseTerm;
  }

  entry(index: number): Entry | undefined {
    return index > this.#baseIndex ? this.#entries[index - this.#baseIndex - 1] : undefined;
  }

  /** Term of the entry at an index; `undefined` when the log does not reach there. */
  termAt(index: number): number | undefined {
    return index === this.#baseIndex ? this.#baseTerm : this.entry(index)?.term;
  }

  /** Whether a log that ends with (`lastIndex`, `lastTerm`) holds all that this one may have committed (paper, 5.4.1). */
  isCoveredBy(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.lastIndex + 1) throw new Error(`entry ${entry.index} behind ${this.lastIndex}`);
      this.#entries.push(entry);
    }
  }

  /** Removes the entry at an index and all behind it. */
  truncateFrom(index: number): void {
    if (index <= this.#baseIndex) throw new Error(`cannot cut the log at ${index}`);
    this.#entries.length = Math.min(this.#entries.length, index - this.#baseIndex - 1);
    if (index < this.#unsavedFrom) {
      this.#cut = { from: index, through: this.#cut?.through ?? this.#unsavedFrom - 1 };
      this.#unsavedFrom = index;
    }
  }

  /** Entries from an index on: at most so many and so many bytes, but at least one if there is one. */
  slice(fromIndex: number, entriesMax: number, bytesMax: number): Entry[] {
    const start = fromIndex - this.#baseIndex - 1;
    let bytes = 0;
    let end = start;
    while (end < this.#entries.length && end - start < entriesMax) {
      bytes += this.#entries[end]?.data.byteLength ?? 0;
      if (bytes > bytesMax && end > start) break;
      end += 1;
    }
    return this.#entries.slice(start, end);
  }

  /** First index of the run of entries that have the same term as the one at `index`. */
  firstIndexOfTermAt(index: number): number {
    const term = this.termAt(index);
    return term === undefined ? index : this.lastIndexUpToTerm(term - 1) + 1;
  }

  /** Last index whose term is at most `term`; terms never fall along the log. */
  lastIndexUpToTerm(term: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.term ?? 0) <= term) low = middle + 1;
      else high = middle;
    }
    return this.#baseIndex + low;
  }

  /** What happened since the last call, for the disk. */
  takeChange(): LogChange {
    const entries = this.#entries.slice(this.#unsavedFrom - this.#baseIndex - 1);
    const change = { cut: this.#cut, entries };
    this.#unsavedFrom = this.lastIndex + 1;
    this.#cut = undefined;
    return change;
  }
}
