import type { Entry, HardState, Persist } from '../../consensus/raft.ts';

/** What a node finds again after a crash. It takes only what fits what it holds. */
export class Disk {
  hardState: HardState;
  readonly entries: Entry[];

  constructor(entries: readonly Entry[], hardState: HardState) {
    this.entries = [...entries];
    this.hardState = hardState;
  }

  write(persist: Persist): void {
    const { hardState, truncateFrom, truncateThrough, entries } = persist;
    const { term } = this.hardState;
    if (hardState !== undefined) {
      if (hardState.term < term) throw new Error(`the disk is to go back from term ${term} to ${hardState.term}`);
      this.hardState = hardState;
    }
    if (truncateFrom !== undefined) {
      if (truncateThrough !== this.entries.length) throw new Error(`the disk is to be cut up to ${truncateThrough}`);
      this.entries.length = truncateFrom - 1;
    }
    for (const entry of entries) {
      if (entry.index !== this.entries.length + 1) throw new Error(`the disk is to have a gap at ${entry.index}`);
      this.entries.push(entry);
    }
  }
}
