import { acceptAppend } from './acceptance.ts';
import { type Configuration, encodeConfiguration, isUsable } from './configuration.ts';
import { Election } from './election.ts';
import { type Entry, entryKinds } from './entry.ts';
import { type ConfigurationRefusal, Leadership, type ProposalRefusal, type Proposed } from './leadership.ts';
import {
  type AppendReply,
  type AppendRequest,
  messageFault,
  type Outgoing,
  type RaftBody,
  type RaftMessage,
  type RaftMessageType,
} from './message.ts';
import type { ProgressView } from './progress.ts';
import { type HardState, type RaftInit, type Role, State } from './state.ts';

/** One atomic batch for the disk, in this order: the hard state, the cut, the entries behind it. */
export interface Persist {
  hardState?: HardState;
  /** Remove the entry at this index and all behind it; the last that the disk holds is the one at `truncateThrough`. */
  truncateFrom?: number;
  truncateThrough?: number;
  entries: Entry[];
}

/** What a node wants of the world. The order is the promise: `early`, then `persist`, then what rests on it, `late`. */
export interface Output {
  /** Promises nothing: may leave at once. */
  early: Outgoing[];
  persist: Persist | undefined;
  /** Leaves when this `persist` and all before it are durable, also when there is none in this output. */
  late: Outgoing[];
  /** Newly committed entries, in order. */
  committed: Entry[];
  /** There are more committed entries: take again. */
  more: boolean;
}

const nothing: ReadonlyMap<string, ProgressView> = new Map();

/**
 * One node's part in a replicated log: Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm",
 * and Ongaro's thesis), with pre-vote, check-quorum, learners, single-server membership change and leadership transfer.
 *
 * It does nothing by itself. Tell it what happened (`receive`, `tick`, `propose`, `peerLost`, …), then do what
 * `takeOutput` says. When a `persist` came through, hand it back to `durable`, then send its `late`; persists are made
 * durable in the order given. Wake it at `deadlineMs`.
 *
 * Calls on a node that cannot do what is asked say so in their result and leave it unchanged.
 */
export class Raft {
  readonly #state: State;
  readonly #election: Election;
  #leadership: Leadership | undefined;
  #handedOutIndex = 0;
  #rejected = 0;

  readonly #handlers: { [K in RaftMessageType]: (from: string, body: RaftBody<K>) => void } = {
    voteRequest: (from, body) => this.#election.voteRequested(from, body),
    voteReply: (from, body) => this.#election.voteAnswered(from, body),
    appendRequest: (from, body) => this.#appendRequested(from, body),
    appendReply: (from, body) => this.#appendAnswered(from, body),
    transferLeadership: (from, body) => {
      const { term, leader, isVoter } = this.#state;
      if (body.term === term && from === leader && isVoter) this.#election.stand(true);
    },
  };

  /** Throws when the stored state cannot be right, or the options cannot work together. */
  constructor(init: RaftInit) {
    this.#state = new State(init);
    this.#election = new Election(this.#state, {
      follow: (term, leader) => this.#follow(term, leader),
      lead: (granters, sinceMs) => this.#lead(granters, sinceMs),
    });
  }

  /**
   * The log that every founding voter starts from, with hard state `{ term: 1, vote: '' }`. Who joins later starts with an
   * empty log and hard state `{ term: 0, vote: '' }`. Throws for a configuration that no cluster could run with.
   */
  static bootstrapEntries(configuration: Configuration): Entry[] {
    if (!isUsable(configuration)) throw new Error('A configuration needs at least one voter, and no id twice.');
    return [{ index: 1, term: 1, kind: entryKinds.configuration, data: encodeConfiguration(configuration) }];
  }

  /** A message came. What makes no sense is counted in `rejected` and dropped, state unchanged. */
  receive(from: string, message: RaftMessage, nowMs: number): void {
    this.#observe(nowMs);
    if (from === '' || from === this.id || messageFault(message) !== undefined) {
      this.#rejected += 1;
      return;
    }
    const handle = this.#handlers[message.type] as (from: string, body: RaftMessage['body']) => void;
    handle(from, message.body);
    this.#settle();
  }

  /** Does whatever is due; harmless when nothing is, or when it comes late. */
  tick(nowMs: number): void {
    this.#observe(nowMs);
    if (this.#leadership) this.#leadership.tick();
    else this.#election.tick();
    this.#settle();
  }

  /** The earliest moment at which `tick` has something to do; Infinity: none. */
  deadlineMs(): number {
    return this.#leadership?.deadlineMs() ?? this.#election.deadlineMs();
  }

  /** Appends a command if this node leads. Committed when it comes out of `takeOutput` with this index and this term. */
  propose(data: Uint8Array, nowMs: number): Proposed<ProposalRefusal> {
    this.#observe(nowMs);
    return this.#leadership?.propose(data) ?? { ok: false, reason: 'notLeader' };
  }

  /** Changes the members: at most one voter more or less, any number of learners. In force at once, see the thesis, 4.1. */
  changeConfiguration(next: Configuration, nowMs: number): Proposed<ConfigurationRefusal> {
    this.#observe(nowMs);
    const proposed = this.#leadership?.changeConfiguration(next) ?? { ok: false, reason: 'notLeader' };
    this.#settle();
    return proposed;
  }

  /**
   * Hands leadership to another voter: brings it up to date, then asks it to stand. Proposals are refused meanwhile. Given
   * up after the least election timeout. False: this node does not lead, or that one cannot take over.
   */
  transferLeadership(to: string, nowMs: number): boolean {
    this.#observe(nowMs);
    return this.#leadership?.transferTo(to) ?? false;
  }

  /** Stands for election without waiting, if it may: for the founder of a cluster that has never had a leader. */
  campaign(nowMs: number): boolean {
    this.#observe(nowMs);
    if (this.role !== 'follower' || this.leader !== '' || !this.#state.isVoter) return false;
    this.#election.askForVotes();
    return true;
  }

  /**
   * The connection to a peer closed. A hint: that it is dead is decided by votes. To be called after `receive` of what came
   * over that connection: anything from the peer afterwards says that it is back.
   */
  peerLost(peer: string, nowMs: number): void {
    this.#observe(nowMs);
    if (this.#leadership) this.#leadership.replication.lost(peer);
    else this.#election.peerLost(peer);
  }

  /**
   * A `persist` of this node, and all before it, are on disk. Only now a candidate's vote for itself counts, and a leader's
   * own copy of its entries. A persist whose entries were replaced since counts nothing.
   */
  durable(persist: Persist, nowMs = this.#state.nowMs): void {
    this.#observe(nowMs);
    const last = persist.entries.at(-1);
    if (last) this.#leadership?.durable(last.index, last.term);
    if (persist.hardState) this.#election.ownVoteDurable(persist.hardState.term);
    this.#settle();
  }

  /** Everything there is to do since the last call. */
  takeOutput(): Output {
    this.#leadership?.flush();
    const { log, commitIndex, options } = this.#state;
    const { early, late } = this.#state.takeMessages();
    const ends = Math.min(commitIndex, this.#handedOutIndex + options.committedPerOutputMax);
    const count = ends - this.#handedOutIndex;
    const committed = count > 0 ? log.slice(this.#handedOutIndex + 1, count, Number.POSITIVE_INFINITY) : [];
    this.#handedOutIndex = ends;
    return { early, persist: this.#takePersist(), late, committed, more: ends < commitIndex };
  }

  get id(): string {
    return this.#state.id;
  }

  get role(): Role {
    return this.#state.role;
  }

  get term(): number {
    return this.#state.term;
  }

  /** The leader of this term; '' when unknown. */
  get leader(): string {
    return this.#state.leader;
  }

  get commitIndex(): number {
    return this.#state.commitIndex;
  }

  get lastIndex(): number {
    return this.#state.log.lastIndex;
  }

  /** Messages dropped because they made no sense. */
  get rejected(): number {
    return this.#rejected;
  }

  configuration(): Configuration {
    return this.#state.configuration;
  }

  entry(index: number): Entry | undefined {
    return this.#state.log.entry(index);
  }

  /** Leads, and knows all that was ever committed. */
  readyToLead(): boolean {
    return this.#leadership?.isReady ?? false;
  }

  /** As a leader: a majority answered within the longest election timeout; else: a leader was heard within it. */
  hearsQuorum(nowMs: number): boolean {
    // A lone voter is never woken, so its last event may lie long behind.
    const heardMs = this.#leadership?.quorumAckMs(nowMs) ?? this.#state.heardLeaderMs;
    return nowMs - heardMs < this.#state.options.electionTimeoutMsMax;
  }

  /** What this leader knows of the others; empty when it does not lead. */
  progress(): ReadonlyMap<string, ProgressView> {
    return this.#leadership?.replication.progress ?? nothing;
  }

  #appendRequested(from: string, request: AppendRequest): void {
    const state = this.#state;
    if (request.term < state.term) {
      // The sender learns from the term that its time is over.
      const { term } = state;
      const body = { term, success: false, matchIndex: 0, conflictIndex: 0, conflictTerm: 0, round: request.round };
      state.sendLate(from, { type: 'appendReply', body });
      return;
    }
    const other = request.term === state.term && state.leader !== '' && state.leader !== from;
    if (other) {
      this.#rejected += 1;
      return;
    }
    if (request.term > state.term || state.role !== 'follower' || state.leader !== from) {
      this.#follow(request.term, from);
    }
    this.#election.leaderHeard();
    const body = acceptAppend(state, request);
    if (body === undefined) this.#rejected += 1;
    else state.sendLate(from, { type: 'appendReply', body });
  }

  #appendAnswered(from: string, reply: AppendReply): void {
    const leadership = this.#leadership;
    if (!leadership?.replication.progress.has(from)) return;
    if (reply.term > this.term) {
      this.#follow(reply.term, '');
    } else if (reply.term === this.term) {
      if (leadership.replication.answered(from, reply)) leadership.answersTaken();
      else this.#rejected += 1;
    }
  }

  /** Time goes forward. A leader that slept through it must not act on what it believed before. */
  #observe(nowMs: number): void {
    this.#state.nowMs = Math.max(this.#state.nowMs, nowMs);
    if (this.#leadership?.hasLapsed()) this.#follow(this.term, '');
  }

  #settle(): void {
    if (this.#leadership?.isOver) this.#follow(this.term, '');
  }

  #follow(term: number, leader: string): void {
    const state = this.#state;
    if (this.#leadership) {
      state.heardLeaderMs = Math.max(state.heardLeaderMs, this.#leadership.quorumAckMs());
      this.#leadership = undefined;
    }
    const wasFollower = state.role === 'follower';
    if (term > state.term) state.setHardState(term, '');
    state.role = 'follower';
    state.leader = leader;
    this.#election.following(wasFollower);
  }

  #lead(granters: ReadonlySet<string>, sinceMs: number): void {
    this.#state.role = 'leader';
    this.#state.leader = this.id;
    this.#election.leading();
    this.#leadership = new Leadership(this.#state, granters, sinceMs);
  }

  #takePersist(): Persist | undefined {
    const hardState = this.#state.takeHardState();
    const { cut, entries } = this.#state.log.takeChange();
    if (hardState === undefined && cut === undefined && entries.length === 0) return undefined;
    return {
      ...(hardState && { hardState }),
      ...(cut && { truncateFrom: cut.from, truncateThrough: cut.through }),
      entries,
    };
  }
}

export type { Configuration } from './configuration.ts';
export { type Entry, entryKinds } from './entry.ts';
export type { ConfigurationRefusal, ProposalRefusal, Proposed } from './leadership.ts';
export type { Outgoing, RaftMessage } from './message.ts';
export type { RaftOptions } from './options.ts';
export type { ProgressView } from './progress.ts';
export type { HardState, RaftInit, Role } from './state.ts';
