/** An append request that has not been answered. */
export interface Flight {
  round: number;
  sentMs: number;
  previousIndex: number;
  /** Last index that it carries; `previousIndex` when it carries no entries. */
  lastIndex: number;
}

/** What a leader shows of one follower. */
export interface ProgressView {
  /** The follower's disk holds the leader's log up to here. */
  readonly matchIndex: number;
  /** `probe`: the leader looks for the place where the logs agree; `replicate`: it streams. */
  readonly state: 'probe' | 'replicate';
  /** When the newest request that was answered had been sent; -Infinity: none yet. */
  readonly lastAckMs: number;
}

/** What a leader knows of one follower's log, and what is on its way there. */
export class Progress implements ProgressView {
  matchIndex = 0;
  state: 'probe' | 'replicate' = 'probe';
  lastAckMs: number;
  nextIndex: number;
  /** The highest commit index that a request has told it. */
  toldCommitIndex = 0;
  #flights: Flight[] = [];
  readonly #messagesInFlightMax: number;
  readonly #heartbeatsInFlightMax: number;

  constructor(nextIndex: number, lastAckMs: number, messagesInFlightMax: number, heartbeatsInFlightMax: number) {
    this.nextIndex = nextIndex;
    this.lastAckMs = lastAckMs;
    this.#messagesInFlightMax = messagesInFlightMax;
    this.#heartbeatsInFlightMax = heartbeatsInFlightMax;
  }

  /** Whether a request that is not a heartbeat may leave: one at a time while probing, a few while streaming. */
  get maySend(): boolean {
    if (this.state === 'probe') return this.#flights.length === 0;
    return this.#flights.reduce((sum, flight) => sum + (carries(flight) ? 1 : 0), 0) < this.#messagesInFlightMax;
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
    this.lastAckMs = Math.max(this.lastAckMs, flight.sentMs);
    return { flight, earlier };
  }

  /** The follower's disk matches up to an index: true for ever within a term, however old the answer is. */
  matched(index: number): void {
    this.matchIndex = Math.max(this.matchIndex, index);
    this.nextIndex = Math.max(this.nextIndex, this.matchIndex + 1);
  }

  /** The logs agree: stream from there. */
  replicate(): void {
    this.state = 'replicate';
    this.nextIndex = this.matchIndex + 1;
    this.#flights = [];
  }

  /** Something was lost or does not fit: look again, one request at a time. */
  probeFrom(nextIndex: number): void {
    this.state = 'probe';
    this.nextIndex = Math.max(nextIndex, this.matchIndex + 1);
    this.toldCommitIndex = 0;
    this.#flights = [];
  }

  #makeRoomForHeartbeat(): void {
    const heartbeats = this.#flights.reduce((sum, flight) => sum + (carries(flight) ? 0 : 1), 0);
    if (heartbeats < this.#heartbeatsInFlightMax) return;
    const oldest = this.#flights.findIndex((flight) => !carries(flight));
    this.#flights.splice(oldest, 1);
  }
}

/** Whether a request carries entries. */
export function carries(flight: Flight): boolean {
  return flight.lastIndex > flight.previousIndex;
}
