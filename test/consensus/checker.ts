import type { Entry, Raft } from '../../consensus/raft.ts';

/** What a checker may see of a node: its state machine's input, and the disk behind it. */
export interface Witness {
  id: string;
  raft: Raft | undefined;
  stored: readonly Entry[];
  snapshot: { index: number } | undefined;
  applied: Entry[];
}

/** Knows what was ever committed, and who ever led, and throws as soon as a node contradicts it. */
export class Checker {
  readonly committed: Entry[] = [];
  /** The term in which the entry of that place was committed. */
  readonly #committedIn: number[] = [];
  readonly leaders = new Map<number, string>();

  /** Election safety and leader completeness (paper, figure 3). */
  sawRole(raft: Raft): void {
    if (raft.role !== 'leader') return;
    const known = this.leaders.get(raft.term);
    if (known === raft.id) return;
    if (known !== undefined) throw new Error(`${known} and ${raft.id} both lead in term ${raft.term}`);
    this.leaders.set(raft.term, raft.id);
    for (const entry of this.committed) {
      // A candidate that slept may find its votes when a later term has gone on without it.
      if ((this.#committedIn[entry.index - 1] ?? 0) >= raft.term) continue;
      if (entry.index <= raft.base.index) continue;
      if (!same(raft.entry(entry.index), entry)) throw new Error(`leader ${raft.id} lacks committed ${entry.index}`);
    }
  }

  /** A snapshot took the place of the log: it is what the log came to. */
  sawRestored({ id, applied }: Witness): void {
    for (const [place, entry] of applied.entries()) {
      if (!same(this.committed[place], entry)) throw new Error(`${id} restored another entry ${place + 1}`);
    }
  }

  /** State machine safety, and that what is committed is on a majority of disks. */
  sawCommitted(node: Witness, raft: Raft, entry: Entry, all: ReadonlyMap<string, Witness>): void {
    if (entry.index !== node.applied.length + 1) throw new Error(`${node.id} skips to ${entry.index}`);
    node.applied.push(entry);
    const known = this.committed[entry.index - 1];
    if (known !== undefined) {
      if (!same(known, entry)) throw new Error(`${node.id} applies another entry ${entry.index}`);
      return;
    }
    this.committed.push(entry);
    this.#committedIn.push(raft.term);
    const { voters } = raft.configuration();
    const holds = ({ stored, snapshot }: Witness): boolean =>
      (snapshot?.index ?? 0) >= entry.index ||
      same(
        stored.find(({ index }) => index === entry.index),
        entry,
      );
    const holders = voters.filter((voter) => {
      const witness = all.get(voter);
      return witness !== undefined && holds(witness);
    });
    if (holders.length * 2 <= voters.length) {
      throw new Error(`${entry.index} is committed on ${holders.length} disks of ${voters.length}`);
    }
  }

  /** Log matching: where two logs agree on an entry's term they agree on all before it. */
  compareLogs(rafts: readonly Raft[]): void {
    for (const [place, one] of rafts.entries()) {
      for (const other of rafts.slice(place + 1)) {
        let agreed = false;
        for (
          let index = Math.min(one.lastIndex, other.lastIndex);
          index > Math.max(one.base.index, other.base.index);
          index -= 1
        ) {
          agreed ||= one.entry(index)?.term === other.entry(index)?.term;
          if (agreed && !same(one.entry(index), other.entry(index))) {
            throw new Error(`the logs of ${one.id} and ${other.id} differ at ${index}`);
          }
        }
      }
    }
  }
}

function same(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.term === b.term && a.kind === b.kind && Buffer.compare(a.data, b.data) === 0;
}
