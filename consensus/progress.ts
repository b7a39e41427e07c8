import type { SnapshotTransfer } from './snapshot.ts';

/** An append request that has not been answered. */
export interface Flight {
  round: number;
  sentMs: number;
  previousIndex: number;
  /** Last index that it carries; `previousIndex` when it carries no entries. */
  lastIndex: number;
  /** Of the data of its entries. */
  bytes: number;
  /** When it left, the follower had said that its disk holds what this one follows on. */
  isVerified: boolean;
}

/** What a leader shows of one follower. */
export interface ProgressView {
  /** The follower's disk holds the leader's log up to here. */
  readonly matchIndex: number;
  /**
   * `probe`: the leader looks for the place where the logs agree; `replicate`: it streams; `snapshot`: it brings a
   * snapshot, because the entries that come next for the follower are in its log no more.
   */
  readonly state: 'probe' | 'replicate' | 'snapshot';
  /** When the newest request that was answered had been sent; -Infinity: none yet. */
  readonly lastAckMs: number;
}

/** Bounds of what may be on its way to one follower. */
export interface FlightLimits {
  messagesInFlightMax: number;
  bytesInFlightMax: number;
  heartbeatsInFlightMax: number;
}

/** What a leader knows of one follower's log, and what is on its way there. */
export class Progress implements ProgressView {
  matchIndex = 0;
  state: ProgressView['state'] = 'probe';
  lastAckMs: number;
  nextIndex: number;
  /** The newest request that was answered: what was asked before it, the follower has heeded. */
  ackedRound = 0;
  /** By its own clock, when it sent the last answer; 0: it said nothing yet. */
  saidMs = 0;
  /** When its connection was last seen to close. */
  lostMs = Number.NEGATIVE_INFINITY;
  /** Who brings it the log in the leader's place; nothing is sent to it meanwhile. */
  relay: string | undefined;
  /** The last relay that was well and did not reach it all the same. */
  failedRelay: string | undefined;
  /** In the state `snapshot`. */
  transfer: SnapshotTransfer | undefined;
  /** The highest commit index that a request has told it. */
  toldCommitIndex = 0;
  #flights: Flight[] = [];
  readonly #limits: FlightLimits;

  constructor(nextIndex: number, lastAckMs: number, limits: FlightLimits) {
    this.nextIndex = nextIndex;
    this.lastAckMs = lastAckMs;
    this.#limits = limits;
  }

  /** Whether a request that is not a heartbeat may leave: one at a time while probing, a few while streaming. */
  get maySend(): boolean {
    if (this.state !== 'replicate') return this.#flights.length === 0;
    let messages = 0;
    let bytes = 0;
    for (const flight of this.#flights) {
      if (!carries(flight)) continue;
      messages += 1;
      bytes += flight.bytes;
    }
    return messages < this.#limits.messagesInFlightMax && bytes < this.#limits.bytesInFlightMax;
  }

  /**
   * Whether one more heartbeat may leave for the sake of a read. Half of what may be on its way stays for the ordinary
   * ones: so a slow follower's answers still meet the requests that they are for.
   */
  get maySendForRead(): boolean {
    return this.#heartbeats() < this.#limits.heartbeatsInFlightMax / 2;
  }

  /** It answered what was sent no longer ago than that, and its connection has not closed since. */
  answeredWithin(ms: number, nowMs: number): boolean {
    return nowMs - this.lastAckMs < ms && this.lastAckMs >= this.lostMs;
  }

  /** Takes note of a request. While streaming, what was sent counts as taken until the follower says otherwise. */
  sent(flight: Flight): void {
    if (!carries(flight)) this.#makeRoomForHeartbeat();
    this.#flights.push(flight);
    if (this.state === 'replicate') this.nextIndex = Math.max(this.nextIndex, flight.lastIndex + 1);
  }

  /**
   * Takes note of an answer. Requests are answered in order, so those before it will not be: they are forgotten.
   * Returns the request, or `undefined` for an answer to one that is forgotten (a double, or from before a probe).
   */
  answered(round: number): { flight: Flight; earlier: Flight[] } | undefined {
    const place = this.#flights.findIndex((flight) => flight.round === round);
    if (place < 0) return undefined;
    const earlier = this.#flights.splice(0, place + 1);
    const flight = earlier.pop();
    if (flight === undefined) return undefined;
    this.acked(round, flight.sentMs);
    return { flight, earlier };
  }

  /** It answered a request of that round, sent at that moment. */
  acked(round: number, sentMs: number): void {
    this.ackedRound = Math.max(this.ackedRound, round);
    this.lastAckMs = Math.max(this.lastAckMs, sentMs);
  }

  /** The follower's disk matches up to an index: true for as long as the term and the disk last, however old the answer is. */
  matched(index: number): void {
    this.matchIndex = Math.max(this.matchIndex, index);
    this.nextIndex = Math.max(this.nextIndex, this.matchIndex + 1);
  }

  /** The logs agree: stream from there. */
  replicate(): void {
    this.state = 'replicate';
    this.transfer = undefined;
    this.nextIndex = this.matchIndex + 1;
    this.#flights = [];
  }

  /** Something was lost or does not fit: look again, one request at a time. */
  probeFrom(nextIndex: number): void {
    this.state = 'probe';
    this.transfer = undefined;
    this.nextIndex = Math.max(nextIndex, this.matchIndex + 1);
    this.toldCommitIndex = 0;
    this.#flights = [];
  }

  /** Its disk holds no more what it had said: an older copy was put back. It is brought everything anew. */
  forget(nextIndex: number): void {
    this.matchIndex = 0;
    this.probeFrom(nextIndex);
  }

  /** The leader brings it the log itself again, from where it is known to be. */
  serveDirectly(): void {
    this.relay = undefined;
    this.probeFrom(this.matchIndex + 1);
  }

  /** It lacks what the log no longer holds. */
  bring(transfer: SnapshotTransfer): void {
    this.state = 'snapshot';
    this.transfer = transfer;
    this.toldCommitIndex = 0;
    this.#flights = [];
  }

  #heartbeats(): number {
    return this.#flights.reduce((sum, flight) => sum + (carries(flight) ? 0 : 1), 0);
  }

  #makeRoomForHeartbeat(): void {
    if (this.#heartbeats() < this.#limits.heartbeatsInFlightMax) return;
    const oldest = this.#flights.findIndex((flight) => !carries(flight));
    this.#flights.splice(oldest, 1);
  }
}

/** Whether a request carries entries. */
export function carries(flight: Flight): boolean {
  return flight.lastIndex > flight.previousIndex;
}
