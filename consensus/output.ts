import type { Entry } from './entry.ts';
import type { Outgoing } from './message.ts';
import type { ReadyRead } from './reads.ts';
import type { LogBase, Snapshot } from './snapshot.ts';
import type { HardState } from './state.ts';

/** One atomic batch for the disk, in this order: the hard state, the snapshot, what goes, the entries behind it. */
export interface Persist {
  hardState?: HardState;
  /** Remove the entry at this index and all behind it; the last that the disk holds is the one at `truncateThrough`. */
  truncateFrom?: number;
  truncateThrough?: number;
  /** In place of the one before it. `base`: where the log begins from now on. */
  snapshot?: Snapshot & { base: LogBase };
  /** Remove the entries from one index to another, both included: a snapshot has taken their place. */
  dropFrom?: number;
  dropThrough?: number;
  entries: Entry[];
}

/** What a node wants of the world. The order is the promise: `early`, then `persist`, then what rests on it, `late`. */
export interface Output {
  /** Promises nothing: may leave at once. */
  early: Outgoing[];
  persist: Persist | undefined;
  /** Leaves when this `persist` and all before it are durable, also when there is none in this output. */
  late: Outgoing[];
  /** A leader's snapshot: restore the state machine from it, in place of all that was applied, before `committed`. */
  installed: Snapshot | undefined;
  /** Newly committed entries, in order. */
  committed: Entry[];
  /** Reads that may be answered once `committed` is applied. */
  reads: ReadyRead[];
  /** Reads that this node can not answer: it leads no longer. */
  readsLost: number[];
  /** There are more committed entries: take again. */
  more: boolean;
}
