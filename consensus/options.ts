import { childrenMax, requestEntriesMax } from './message.ts';

/** Times in ms, sizes in bytes of entry data. */
export interface RaftOptions {
  heartbeatIntervalMs: number;
  /** A voter that heard its leader within this holds on to it. */
  electionTimeoutMsMin: number;
  /** A voter without a leader stands for election within this; a leader without a majority gives up after it. */
  electionTimeoutMsMax: number;
  /** That more is committed waits for so long for entries that say it along; 0: it is told at once. */
  commitToldMsMax: number;
  /** Between the first tries of two voters whose connection to the leader closed at the same time. */
  fastElectionStaggerMs: number;
  /** Between the tries of one voter, while others have not yet noticed that the leader is gone. */
  fastElectionRetryMs: number;
  /** Tries before a voter falls back to its ordinary election timeout. */
  fastElectionTriesMax: number;
  entriesPerMessageMax: number;
  /** An entry larger than this travels alone. */
  messageBytesMax: number;
  /** Unanswered append requests with entries, per follower, and the bytes that these carry. */
  messagesInFlightMax: number;
  bytesInFlightMax: number;
  /** Entries and bytes in the leader's log beyond the commit index before it refuses proposals. */
  backlogEntriesMax: number;
  backlogBytesMax: number;
  /** Largest proposal; keep it below what the transport takes in one message. */
  entryBytesMax: number;
  /** Committed entries handed out by one `takeOutput`. */
  committedPerOutputMax: number;
  /** Of the entries that a snapshot covers, the last that are kept have at most so many bytes. */
  keptBytesMax: number;
  /** Largest snapshot that is taken from a leader. */
  snapshotBytesMax: number;
  snapshotChunkBytes: number;
  snapshotChunksInFlightMax: number;
  /**
   * Learners that a leader always serves itself. Where there are more of them than this and than the square root of their
   * number, the others get the log through the first ones. At most 256.
   */
  directLearnersMin: number;
  /** Reads that wait for a leader to be confirmed. */
  readsWaitingMax: number;
  /**
   * A leader whose own disk has not ended a write for so long makes way for another, and a voter does not stand for
   * election. The process that cannot write should end by itself; this is for one that is stuck.
   */
  diskStallMsMax: number;
  /**
   * Whether leaders answer reads without a round while a majority answered them within `electionTimeoutMsMin`; if not,
   * every read is confirmed. To be the same at all voters. Rests on clocks, see `clockDriftMax`, and costs the fast
   * elections: with it a voter does not give its leader up before the time has passed.
   */
  leaseReads: boolean;
  /** For `leaseReads`: by how much, of 1, one voter's clock may run faster than another's. None may stand still. */
  clockDriftMax: number;
}

export const defaultOptions: Readonly<RaftOptions> = {
  heartbeatIntervalMs: 50,
  electionTimeoutMsMin: 600,
  electionTimeoutMsMax: 1200,
  commitToldMsMax: 5,
  fastElectionStaggerMs: 40,
  fastElectionRetryMs: 10,
  fastElectionTriesMax: 20,
  entriesPerMessageMax: 256,
  messageBytesMax: 512 * 1024,
  messagesInFlightMax: 16,
  bytesInFlightMax: 4 * 1024 * 1024,
  backlogEntriesMax: 4096,
  backlogBytesMax: 8 * 1024 * 1024,
  entryBytesMax: 3 * 1024 * 1024,
  committedPerOutputMax: 1024,
  keptBytesMax: 8 * 1024 * 1024,
  snapshotBytesMax: 256 * 1024 * 1024,
  snapshotChunkBytes: 256 * 1024,
  snapshotChunksInFlightMax: 4,
  directLearnersMin: 16,
  readsWaitingMax: 4096,
  diskStallMsMax: 1000,
  leaseReads: false,
  clockDriftMax: 0.1,
};

/** Fills in the defaults. Throws `RangeError` for values that cannot work together. */
export function completeOptions(given: Partial<RaftOptions> = {}): RaftOptions {
  const options = { ...defaultOptions, ...given };
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'boolean') continue;
    const countsThings = !name.includes('Ms') && name !== 'clockDriftMax';
    if (!Number.isFinite(value) || value < 0) throw new RangeError(`${name} is ${value}: give a positive number`);
    if (countsThings && (!Number.isSafeInteger(value) || value < 1)) {
      throw new RangeError(`${name} is ${value}: give a whole number of at least 1`);
    }
  }
  const { heartbeatIntervalMs, electionTimeoutMsMin, electionTimeoutMsMax } = options;
  if (!(heartbeatIntervalMs > 0 && heartbeatIntervalMs < electionTimeoutMsMin)) {
    throw new RangeError('heartbeatIntervalMs must be above 0 and below electionTimeoutMsMin');
  }
  if (electionTimeoutMsMin >= electionTimeoutMsMax) {
    throw new RangeError('electionTimeoutMsMin must be below electionTimeoutMsMax: the time between them breaks ties');
  }
  if (options.clockDriftMax >= 1) throw new RangeError('clockDriftMax must be below 1: it is a part of the time');
  if (!(options.fastElectionRetryMs > 0)) throw new RangeError('fastElectionRetryMs must be above 0');
  if (options.entriesPerMessageMax > requestEntriesMax) {
    throw new RangeError(`entriesPerMessageMax must be at most ${requestEntriesMax}: receivers refuse more`);
  }
  if (options.directLearnersMin > childrenMax) {
    throw new RangeError(`directLearnersMin must be at most ${childrenMax}: relays refuse more`);
  }
  return options;
}
