import { type Configuration, encodeConfiguration, isUsable } from './configuration.ts';
import { Election } from './election.ts';
import { type Entry, entryKinds } from './entry.ts';
import { Following } from './following.ts';
import { type ConfigurationRefusal, Leadership, type ProposalRefusal, type Proposed } from './leadership.ts';
import { messageFault, type RaftBody, type RaftMessage, type RaftMessageType } from './message.ts';
import type { Output, Persist } from './output.ts';
import type { ProgressView } from './progress.ts';
import type { ReadRefusal, ReadyRead } from './reads.ts';
import { Relaying } from './relaying.ts';
import type { Answerable } from './replication.ts';
import type { LogBase, Snapshot } from './snapshot.ts';
import { type RaftInit, type Role, State } from './state.ts';

/** Entries that are kept, at most, for followers that take in a snapshot and will want them next. */
const keptForSnapshotsMax = 65_536;

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
  readonly #following: Following;
  #leadership: Leadership | undefined;
  #relaying: Relaying | undefined;
  #handedOutIndex: number;
  #reads = 0;
  #readsReady: ReadyRead[] = [];
  #readsLost: number[] = [];
  #rejected = 0;

  readonly #handlers: { [K in RaftMessageType]: (from: string, body: RaftBody<K>) => void } = {
    voteRequest: (from, body) => this.#election.voteRequested(from, body),
    voteReply: (from, body) => this.#election.voteAnswered(from, body),
    appendRequest: (from, body) => this.#following.appendRequested(from, body),
    appendReply: (from, body) => this.#answered(from, body.term, (by) => by.answered(from, body)),
    snapshotChunk: (from, body) => this.#following.chunkReceived(from, body),
    snapshotReply: (from, body) => this.#answered(from, body.term, (by) => by.chunkAnswered(from, body)),
    relay: (from, body) => this.#relayAsked(from, body),
    relayReport: (from, body) => {
      if (body.term === this.term) this.#leadership?.relays.reported(from, body);
    },
    transferLeadership: (from, body) => {
      const { term, leader, isVoter } = this.#state;
      if (body.term === term && from === leader && isVoter) this.#election.stand(true);
    },
  };

  /** Throws when the stored state cannot be right, or the options cannot work together. */
  constructor(init: RaftInit) {
    this.#state = new State(init);
    this.#handedOutIndex = this.#state.commitIndex;
    this.#election = new Election(this.#state, {
      follow: (term, leader) => this.#follow(term, leader),
      lead: (granters, sinceMs) => this.#lead(granters, sinceMs),
    });
    this.#following = new Following(this.#state, {
      follow: (term, leader) => this.#follow(term, leader),
      heard: (ageMs) => this.#heard(ageMs),
      rejected: () => {
        this.#rejected += 1;
      },
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
    const { otherVoters, isDiskStalled } = this.#state;
    if (isDiskStalled && otherVoters.length > 0) this.#leadership?.abdicate();
    if (this.#leadership) this.#leadership.tick();
    else this.#election.tick();
    this.#settle();
  }

  /** The earliest moment at which `tick` has something to do; Infinity: none. */
  deadlineMs(): number {
    if (this.#leadership === undefined) return this.#election.deadlineMs();
    const isAlone = this.#state.otherVoters.length === 0;
    const stalledFromMs = isAlone ? Number.POSITIVE_INFINITY : this.#state.writes.stalledFromMs;
    return Math.min(this.#leadership.deadlineMs(), stalledFromMs);
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

  /**
   * Asks to read at this moment, if this node leads: `takeOutput` gives the number back in `reads` once all that was
   * committed before is applied and a majority has confirmed the leader since, or in `readsLost`.
   */
  read(nowMs: number): { ok: true; id: number } | { ok: false; reason: ReadRefusal } {
    this.#observe(nowMs);
    const id = this.#reads + 1;
    const reason = this.#leadership === undefined ? 'notLeader' : this.#leadership.read(id);
    if (reason !== undefined) return { ok: false, reason };
    this.#reads = id;
    return { ok: true, id };
  }

  /**
   * Puts a snapshot in the place of the log that was handed out so far: the state machine's bytes, after it applied it. The
   * last `keepEntries` stay, within `keptBytesMax`, for who is a little behind, and more while one takes in an earlier
   * snapshot. False, nothing changed: nothing was handed out since the last one. Throws without bytes.
   */
  compact(data: Uint8Array, keepEntries: number): boolean {
    if (data.byteLength === 0) throw new Error('A snapshot needs at least one byte.');
    const { log, configurations, snapshot: last, options } = this.#state;
    const index = this.#handedOutIndex;
    const term = log.termAt(index);
    if (term === undefined || index <= (last?.index ?? 0)) return false;
    const snapshot = { index, term, configuration: configurations.at(index), data };
    const neededFrom = this.#leadership?.replication.neededFrom ?? Number.POSITIVE_INFINITY;
    const kept = Math.min(index - keepEntries, Math.max(neededFrom, index - keptForSnapshotsMax));
    this.#state.compact(snapshot, log.firstWithin(Math.max(log.base.index, kept), index, options.keptBytesMax));
    return true;
  }

  /** How much this node should lead rather than others, from 0 (only if nobody else does) to 1. Asked for at elections. */
  setPriority(priority: number): void {
    this.#state.priority = Math.min(1, Math.max(0, priority));
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
    this.#relaying?.lost(peer);
    if (this.#leadership) this.#leadership.peerLost(peer);
    else this.#election.peerLost(peer);
  }

  /**
   * A `persist` of this node, and all before it, are on disk. Only now a candidate's vote for itself counts, and a leader's
   * own copy of its entries. A persist whose entries were replaced since counts nothing.
   */
  durable(persist: Persist, nowMs = this.#state.nowMs): void {
    this.#observe(nowMs);
    this.#state.writes.ended(persist);
    const last = persist.entries.at(-1);
    if (last) this.#leadership?.durable(last.index, last.term);
    if (persist.hardState) this.#election.ownVoteDurable(persist.hardState.term);
    this.#settle();
  }

  /** What is committed is told to each follower as soon as it has it, because somebody waits for it there. */
  tellCommitted(): void {
    this.#leadership?.replication.tellWhatIsCommitted();
  }

  /** Everything there is to do since the last call. */
  takeOutput(): Output {
    this.#leadership?.flush();
    this.#relaying?.flush();
    const { log, commitIndex, options } = this.#state;
    const { early, late } = this.#state.takeMessages();
    const installed = this.#takeInstalled();
    const ends = Math.min(commitIndex, this.#handedOutIndex + options.committedPerOutputMax);
    const count = ends - this.#handedOutIndex;
    const committed = count > 0 ? log.slice(this.#handedOutIndex + 1, count, Number.POSITIVE_INFINITY) : [];
    this.#handedOutIndex = ends;
    this.#state.configurations.applied(ends);
    const reads = this.#takeReads();
    const readsLost = this.#readsLost;
    this.#readsLost = [];
    const persist = this.#takePersist();
    return { early, persist, late, installed, committed, reads, readsLost, more: ends < commitIndex };
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

  /** Where the log begins. */
  get base(): LogBase {
    return this.#state.log.base;
  }

  /** Up to where a snapshot stands in the log's place; 0: there is none. */
  get snapshotIndex(): number {
    return this.#state.snapshot?.index ?? 0;
  }

  /** Since no more was committed, surely, than this node has, ms; Infinite: that is not known of any moment. */
  ageMs(nowMs: number): number {
    return Math.max(0, nowMs - (this.#leadership?.asOfMs(nowMs) ?? this.#state.asOfMs));
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
    return this.#leadership?.replication.progress ?? new Map();
  }

  /** To be passed on at once: those that this node serves hear of the leader when it does. */
  #heard(ageMs: number): void {
    this.#election.leaderHeard(ageMs);
    if (this.#relaying?.stands === false) this.#relaying = undefined;
    this.#relaying?.heard();
  }

  #relayAsked(from: string, { term, children }: RaftBody<'relay'>): void {
    if (term !== this.term || from !== this.leader || this.role !== 'follower') return;
    if (this.#relaying?.stands !== true) this.#relaying = new Relaying(this.#state);
    this.#relaying.serve(children.filter((id) => id !== this.id));
  }

  #answered(from: string, term: number, take: (by: Answerable) => boolean): void {
    if (this.#relaying && !take(this.#relaying)) this.#rejected += 1;
    const leadership = this.#leadership;
    if (!leadership?.replication.progress.has(from)) return;
    if (term > this.term) this.#follow(term, '');
    else if (term === this.term) {
      if (take(leadership.replication)) leadership.answersTaken();
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
      state.asOfMs = Math.max(state.asOfMs, this.#leadership.asOfMs());
      const { reads } = this.#leadership;
      this.#readsReady.push(...reads.takeReady());
      this.#readsLost.push(...reads.ids);
      this.#leadership = undefined;
    }
    if (term > state.term || leader !== state.leader) this.#relaying = undefined;
    const wasFollower = state.role === 'follower';
    if (term > state.term) state.setHardState(term, '');
    state.role = 'follower';
    state.leader = leader;
    this.#election.following(wasFollower);
  }

  #lead(granters: ReadonlySet<string>, sinceMs: number): void {
    this.#relaying = undefined;
    this.#state.role = 'leader';
    this.#state.leader = this.id;
    this.#election.leading();
    this.#leadership = new Leadership(this.#state, granters, sinceMs);
  }

  /** What is handed out from here on comes behind an installed snapshot. */
  #takeInstalled(): Snapshot | undefined {
    const installed = this.#following.takeInstalled();
    if (installed !== undefined) this.#handedOutIndex = installed.index;
    return installed;
  }

  /** Reads whose place in the log is handed out. */
  #takeReads(): ReadyRead[] {
    this.#readsReady.push(...(this.#leadership?.reads.takeReady() ?? []));
    const ready = this.#readsReady.filter(({ index }) => index <= this.#handedOutIndex);
    if (ready.length > 0) this.#readsReady = this.#readsReady.filter(({ index }) => index > this.#handedOutIndex);
    return ready;
  }

  #takePersist(): Persist | undefined {
    const hardState = this.#state.takeHardState();
    const snapshot = this.#state.takeSnapshot();
    const { cut, drop, entries } = this.#state.log.takeChange();
    const isNothing = hardState === undefined && snapshot === undefined && cut === undefined && drop === undefined;
    if (isNothing && entries.length === 0) return undefined;
    const persist = {
      ...(hardState && { hardState }),
      ...(cut && { truncateFrom: cut.from, truncateThrough: cut.through }),
      ...(snapshot && { snapshot: { ...snapshot, base: this.#state.log.base } }),
      ...(drop && { dropFrom: drop.from, dropThrough: drop.through }),
      entries,
    };
    this.#state.writes.began(persist, this.#state.nowMs);
    return persist;
  }
}

export type { Configuration } from './configuration.ts';
export { type Entry, entryKinds } from './entry.ts';
export type { ConfigurationRefusal, ProposalRefusal, Proposed } from './leadership.ts';
export type { Outgoing, RaftMessage } from './message.ts';
export type { RaftOptions } from './options.ts';
export type { Output, Persist } from './output.ts';
export type { ProgressView } from './progress.ts';
export type { ReadRefusal, ReadyRead } from './reads.ts';
export type { LogBase, Snapshot } from './snapshot.ts';
export type { HardState, RaftInit, Role } from './state.ts';
