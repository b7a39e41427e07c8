import type { Entry, HardState, LogBase, Persist, Snapshot } from '../../consensus/raft.ts';

/** What a node finds again after a crash. It takes only what fits what it holds. */
export class Disk {
  hardState: HardState;
  /** Behind the base. */
  entries: Entry[];
  base: LogBase = { index: 0, term: 0 };
  snapshot: Snapshot | undefined;

  constructor(entries: readonly Entry[], hardState: HardState) {
    this.entries = [...entries];
    this.hardState = hardState;
  }

  get lastIndex(): number {
    return this.entries.at(-1)?.index ?? this.base.index;
  }

  write({ hardState, snapshot, truncateFrom, truncateThrough, dropFrom, dropThrough, entries }: Persist): void {
    const { term } = this.hardState;
    if (hardState !== undefined) {
      if (hardState.term < term) throw new Error(`the disk is to go back from term ${term} to ${hardState.term}`);
      this.hardState = hardState;
    }
    if (truncateFrom !== undefined && truncateThrough !== this.lastIndex) {
      throw new Error(`the disk is to be cut up to ${truncateThrough}`);
    }
    if (dropFrom !== undefined && dropFrom !== this.entries[0]?.index) {
      throw new Error(`the disk is to drop from ${dropFrom} on`);
    }
    this.#remove(truncateFrom, truncateThrough);
    this.#remove(dropFrom, dropThrough);
    if (snapshot !== undefined) {
      this.snapshot = snapshot;
      this.base = snapshot.base;
    }
    this.entries.push(...entries);
    for (const [place, { index }] of this.entries.entries()) {
      if (index !== this.base.index + place + 1) throw new Error(`the disk is to have a gap at ${index}`);
    }
  }

  #remove(from = 0, through = 0): void {
    this.entries = this.entries.filter(({ index }) => index < from || index > through);
  }
}
