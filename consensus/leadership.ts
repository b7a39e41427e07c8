import { type Configuration, encodeConfiguration, isUsable, votersChanged } from './configuration.ts';
import { entryKinds } from './entry.ts';
import { reachedByMajority } from './quorum.ts';
import { type ReadRefusal, Reads } from './reads.ts';
import { Relays } from './relays.ts';
import { Replication } from './replication.ts';
import type { State } from './state.ts';

export type Proposed<Reason> = { ok: true; index: number; term: number } | { ok: false; reason: Reason };
/** Nothing was changed. `transferring`: another node is about to lead, ask again in a moment. */
export type ProposalRefusal = 'notLeader' | 'backlogFull' | 'tooLarge' | 'transferring';
/**
 * Nothing was changed. `pending`: an earlier change is not committed, or leadership is being handed over. `notReady`: no
 * entry of this term is committed. `tooFar`: more than one voter differs, or no cluster could run with it.
 */
export type ConfigurationRefusal = 'notLeader' | 'pending' | 'notReady' | 'tooFar';

interface Transfer {
  to: string;
  deadlineMs: number;
  told: boolean;
}

/** The part of a node that leads, made anew for each term that it leads. */
export class Leadership {
  readonly replication: Replication;
  readonly reads: Reads;
  readonly relays: Relays;
  readonly #state: State;
  readonly #firstIndex: number;
  /** The own log is on disk up to here. */
  #durableIndex: number;
  #heartbeatAtMs: number;
  #backlogBytes = 0;
  #transfer: Transfer | undefined;
  #over = false;
  /** Somebody was asked to stand, and may at any time: no lease from here on. */
  #hasTransferred = false;

  /** `granters` voted, asked at `sinceMs`: the first answers that this leader has. */
  constructor(state: State, granters: ReadonlySet<string>, sinceMs: number) {
    this.#state = state;
    this.replication = new Replication(state, () => this.asOfMs());
    this.reads = new Reads(state, this.replication);
    this.relays = new Relays(state, this.replication);
    // The own vote is on disk, and everything that was in the log when it was cast went there before.
    this.#durableIndex = state.log.lastIndex;
    this.#heartbeatAtMs = state.nowMs + state.options.heartbeatIntervalMs;
    this.#firstIndex = state.log.lastIndex + 1;
    for (let index = state.commitIndex + 1; index < this.#firstIndex; index += 1) {
      this.#backlogBytes += state.log.entry(index)?.data.byteLength ?? 0;
    }
    this.replication.matchMembers((member) => (granters.has(member) ? sinceMs : Number.NEGATIVE_INFINITY));
    this.#append(entryKinds.noop, new TextEncoder().encode(state.id));
  }

  /** Committed its own removal: it has to go. */
  get isOver(): boolean {
    return this.#over;
  }

  /** An entry of its own term is committed: its log holds all that ever was, and it knows so (paper, 8). */
  get isReady(): boolean {
    return this.#state.commitIndex >= this.#firstIndex;
  }

  deadlineMs(): number {
    const transferMs = this.#transfer?.deadlineMs ?? Number.POSITIVE_INFINITY;
    const heartbeatMs = this.replication.progress.size > 0 ? this.#heartbeatAtMs : Number.POSITIVE_INFINITY;
    return Math.min(heartbeatMs, transferMs, this.replication.tellAtMs, this.#lapsesAtMs());
  }

  /** A majority answered requests that were sent at or after this moment. This node answers itself, at `nowMs`. */
  quorumAckMs(nowMs = this.#state.nowMs): number {
    const { configuration, id } = this.#state;
    const acks = configuration.voters.map((voter) =>
      voter === id ? nowMs : (this.replication.progress.get(voter)?.lastAckMs ?? Number.NEGATIVE_INFINITY),
    );
    return reachedByMajority(acks);
  }

  /** A moment before which no more was committed than this leader knows to be. */
  asOfMs(nowMs = this.#state.nowMs): number {
    return this.isReady ? this.quorumAckMs(nowMs) : this.#state.asOfMs;
  }

  /** No majority has answered for an election timeout: others may have elected another (thesis, 6.2). */
  hasLapsed(): boolean {
    return this.#state.nowMs >= this.#lapsesAtMs();
  }

  tick(): void {
    const { nowMs, options } = this.#state;
    if (this.#transfer && nowMs >= this.#transfer.deadlineMs) this.#transfer = undefined;
    if (nowMs < this.#heartbeatAtMs) return;
    this.#heartbeatAtMs = nowMs + options.heartbeatIntervalMs;
    if (this.#transfer) this.#transfer.told = false;
    this.relays.assign();
    this.replication.heartbeat();
  }

  propose(data: Uint8Array): Proposed<ProposalRefusal> {
    const { log, commitIndex, options } = this.#state;
    if (data.byteLength > options.entryBytesMax) return { ok: false, reason: 'tooLarge' };
    if (this.#transfer) return { ok: false, reason: 'transferring' };
    const bytes = this.#backlogBytes + data.byteLength;
    const isFull = log.lastIndex - commitIndex >= options.backlogEntriesMax || bytes > options.backlogBytesMax;
    if (isFull && log.lastIndex > commitIndex) return { ok: false, reason: 'backlogFull' };
    return this.#append(entryKinds.command, data);
  }

  /**
   * One voter at a time, so that the majorities before and after overlap (thesis, 4.1), and only by a leader that has
   * committed in its term: without that, two leaders' changes of the same configuration could be in force at once
   * (Ongaro, "bug in single-server membership changes", raft-dev, 10 July 2015).
   */
  changeConfiguration(next: Configuration): Proposed<ConfigurationRefusal> {
    const { configurations, commitIndex, nowMs } = this.#state;
    if (!this.isReady) return { ok: false, reason: 'notReady' };
    if (configurations.index > commitIndex || this.#transfer) return { ok: false, reason: 'pending' };
    if (!isUsable(next) || votersChanged(configurations.current, next) > 1) return { ok: false, reason: 'tooFar' };
    const proposed = this.#append(entryKinds.configuration, encodeConfiguration(next));
    this.replication.matchMembers(() => nowMs);
    this.#advanceCommit();
    return proposed;
  }

  /** Takes note of a read; says why not. It is answered by a round, or at once while this leader has a lease. */
  read(id: number): ReadRefusal | undefined {
    if (!this.isReady) return 'notReady';
    if (this.reads.count >= this.#state.options.readsWaitingMax) return 'tooMany';
    this.reads.add(id, this.#hasLease());
    return undefined;
  }

  /**
   * No other leader can have been elected: a majority that heard this one so lately holds on to it (thesis, 6.4.1). Not
   * while leadership is handed over, which they do not wait for.
   */
  #hasLease(): boolean {
    const { nowMs, options } = this.#state;
    if (!options.leaseReads || this.#hasTransferred) return false;
    return nowMs < this.quorumAckMs() + options.electionTimeoutMsMin * (1 - options.clockDriftMax);
  }

  transferTo(to: string): boolean {
    const { id, configuration, nowMs, options } = this.#state;
    if (to === id || !configuration.voters.includes(to) || !this.#answers(to)) return false;
    if (this.#transfer) return this.#transfer.to === to;
    this.#transfer = { to, deadlineMs: nowMs + options.electionTimeoutMsMin, told: false };
    return true;
  }

  peerLost(peer: string): void {
    this.relays.lost(peer);
    this.replication.lost(peer);
  }

  durable(index: number, term: number): void {
    if (index <= this.#durableIndex || this.#state.log.termAt(index) !== term) return;
    this.#durableIndex = index;
    this.#advanceCommit();
  }

  /** To be called when followers answered. */
  answersTaken(): void {
    this.#advanceCommit();
  }

  /** Puts what is to be sent now into the outbox. */
  flush(): void {
    this.reads.flush();
    this.replication.flush();
    const { log, term } = this.#state;
    const transfer = this.#transfer;
    if (transfer === undefined || transfer.told) return;
    // Only a target that has everything can win at once.
    if (this.replication.progress.get(transfer.to)?.matchIndex !== log.lastIndex) return;
    transfer.told = true;
    this.#hasTransferred = true;
    this.#state.sendEarly(transfer.to, { type: 'transferLeadership', body: { term } });
  }

  #append(kind: number, data: Uint8Array): { ok: true; index: number; term: number } {
    const { log, term } = this.#state;
    const index = log.lastIndex + 1;
    this.#state.append([{ index, term, kind, data }]);
    this.#backlogBytes += data.byteLength;
    return { ok: true, index, term };
  }

  /**
   * Only an entry of the own term is committed by counting, those before it along with it: an older one on a majority of
   * disks can still be replaced (paper, 5.4.2 and figure 8).
   */
  #advanceCommit(): void {
    const { configuration, id, log, term, commitIndex } = this.#state;
    const matches = configuration.voters.map((voter) =>
      voter === id ? this.#durableIndex : (this.replication.progress.get(voter)?.matchIndex ?? 0),
    );
    const index = reachedByMajority(matches);
    if (index <= commitIndex || log.termAt(index) !== term) return;
    for (let at = commitIndex + 1; at <= index; at += 1) this.#backlogBytes -= log.entry(at)?.data.byteLength ?? 0;
    this.#state.commitTo(index);
    if (!this.#state.isVoter && this.#state.configurations.index <= index) this.#resign();
  }

  /** Makes way, for whoever has the most of the log. */
  abdicate(): void {
    this.#resign();
  }

  /** Its removal is committed: tells the others so, and the one with the most of the log to take over at once. */
  #resign(): void {
    this.#over = true;
    this.replication.tellNow();
    this.replication.flush();
    const { configuration, term } = this.#state;
    const matchOf = (voter: string): number => this.replication.progress.get(voter)?.matchIndex ?? 0;
    const others = configuration.voters.filter((voter) => voter !== this.#state.id);
    const [successor] = others.toSorted(
      (a, b) => Number(this.#answers(b)) - Number(this.#answers(a)) || matchOf(b) - matchOf(a),
    );
    if (successor !== undefined) this.#state.sendEarly(successor, { type: 'transferLeadership', body: { term } });
  }

  /** It may take over: it answered lately. */
  #answers(voter: string): boolean {
    const { nowMs, options } = this.#state;
    return this.replication.progress.get(voter)?.answeredWithin(options.electionTimeoutMsMin, nowMs) ?? false;
  }

  #lapsesAtMs(): number {
    const { configuration, id, options } = this.#state;
    const alone = configuration.voters.length === 1 && configuration.voters[0] === id;
    return alone ? Number.POSITIVE_INFINITY : this.quorumAckMs() + options.electionTimeoutMsMax;
  }
}
