import type { Entry } from './entry.ts';
import { entriesFault } from './message.ts';
import { type LogBase, noBase } from './snapshot.ts';

/** Entries from the first to the second of these, both included. */
export interface Range {
  from: number;
  through: number;
}

/** What the disk must do to hold the same log: remove both ranges, then put the entries. */
export interface LogChange {
  /** From the end: what contradicted a leader. */
  cut: Range | undefined;
  /** From the front: what a snapshot covers. Everything, when the log did not go on behind an installed one. */
  drop: Range | undefined;
  entries: Entry[];
}

/**
 * The replicated log in memory, and what of it the disk does not know yet. It begins behind its base, which a snapshot
 * covers: everybody else asks this class for terms and entries, never for array places.
 */
export class Log {
  #base: LogBase;
  #entries: Entry[];
  /** First index that has not been handed out for the disk. */
  #unsavedFrom: number;
  /** First index that the disk holds, if it holds any. */
  #firstOnDisk: number;
  #cut: Range | undefined;
  #drop: Range | undefined;

  /** Throws when the entries do not follow each other from behind the base, or are of a term above `termMax`. */
  constructor(entries: readonly Entry[], termMax: number, base: LogBase = noBase) {
    const fault = entriesFault(entries, base.index, base.term, termMax);
    if (fault !== undefined) {
      throw new Error(`The stored log cannot be used: ${fault}. Nothing was changed. Let this node join anew.`);
    }
    this.#base = base;
    this.#entries = [...entries];
    this.#unsavedFrom = this.lastIndex + 1;
    this.#firstOnDisk = base.index + 1;
  }

  get base(): LogBase {
    return this.#base;
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#base.term;
  }

  entry(index: number): Entry | undefined {
    return index > this.#base.index ? this.#entries[index - this.#base.index - 1] : undefined;
  }

  /** Term of the entry at an index; `undefined` when the log does not reach there, or no longer does. */
  termAt(index: number): number | undefined {
    return index === this.#base.index ? this.#base.term : this.entry(index)?.term;
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
    if (index <= this.#base.index) throw new Error(`cannot cut the log at ${index}`);
    this.#entries.length = Math.min(this.#entries.length, index - this.#base.index - 1);
    if (index < this.#unsavedFrom) {
      this.#cut = { from: index, through: this.#cut?.through ?? this.#unsavedFrom - 1 };
      this.#unsavedFrom = index;
    }
  }

  /** Forgets the entries up to an index, which a snapshot covers; that one becomes the base. */
  compactTo(index: number): void {
    const term = this.termAt(index);
    if (term === undefined) throw new Error(`cannot compact the log to ${index}`);
    if (index === this.#base.index) return;
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { index, term };
    this.#dropThrough(Math.min(index, this.#unsavedFrom - 1));
    this.#unsavedFrom = Math.max(this.#unsavedFrom, index + 1);
    this.#firstOnDisk = index + 1;
  }

  /** Forgets everything: the log goes on behind a snapshot that it did not lead to. */
  resetTo(base: LogBase): void {
    this.#dropThrough(Math.max(this.#cut?.through ?? 0, this.#unsavedFrom - 1));
    this.#cut = undefined;
    this.#entries = [];
    this.#base = base;
    this.#unsavedFrom = base.index + 1;
    this.#firstOnDisk = base.index + 1;
  }

  /** The lowest index, from `from` on, behind which the entries up to `through` have at most so many bytes. */
  firstWithin(from: number, through: number, bytesMax: number): number {
    let bytes = 0;
    for (let index = through; index > from; index -= 1) {
      bytes += this.entry(index)?.data.byteLength ?? 0;
      if (bytes > bytesMax) return index;
    }
    return from;
  }

  /** Entries from an index on: at most so many and so many bytes, but at least one if there is one. */
  slice(fromIndex: number, entriesMax: number, bytesMax: number): Entry[] {
    const start = fromIndex - this.#base.index - 1;
    if (start < 0) throw new Error(`the log begins behind ${this.#base.index}, asked for ${fromIndex}`);
    let bytes = 0;
    let end = start;
    while (end < this.#entries.length && end - start < entriesMax) {
      bytes += this.#entries[end]?.data.byteLength ?? 0;
      if (bytes > bytesMax && end > start) break;
      end += 1;
    }
    return this.#entries.slice(start, end);
  }

  /** First index, as far as the log goes back, of the run of entries that have the same term as the one at `index`. */
  firstIndexOfTermAt(index: number): number {
    const term = this.termAt(index);
    return term === undefined ? index : this.lastIndexUpToTerm(term - 1) + 1;
  }

  /** Last index whose term is at most `term`, the base when there is none; terms never fall along the log. */
  lastIndexUpToTerm(term: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.term ?? 0) <= term) low = middle + 1;
      else high = middle;
    }
    return this.#base.index + low;
  }

  /** What happened since the last call, for the disk. */
  takeChange(): LogChange {
    const entries = this.#entries.slice(this.#unsavedFrom - this.#base.index - 1);
    const change = { cut: this.#cut, drop: this.#drop, entries };
    this.#unsavedFrom = this.lastIndex + 1;
    this.#cut = undefined;
    this.#drop = undefined;
    return change;
  }

  #dropThrough(through: number): void {
    if (through < this.#firstOnDisk) return;
    const from = this.#drop?.from ?? this.#firstOnDisk;
    this.#drop = { from, through: Math.max(through, this.#drop?.through ?? 0) };
    this.#firstOnDisk = through + 1;
  }
}
