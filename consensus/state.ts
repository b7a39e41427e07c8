import { type Configuration, ConfigurationHistory } from './configuration.ts';
import type { Entry } from './entry.ts';
import { Log } from './log.ts';
import type { Outgoing, RaftMessage } from './message.ts';
import { completeOptions, type RaftOptions } from './options.ts';
import { type LogBase, noBase, type Snapshot } from './snapshot.ts';
import { Writes } from './writes.ts';

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** What a node must never forget: its term, and whom it voted for in it ('' for nobody yet). */
export interface HardState {
  term: number;
  vote: string;
}

/** What a node starts from. Throws when the stored state cannot be right. */
export interface RaftInit {
  id: string;
  hardState: HardState;
  /** The stored log, from behind `base` without a gap. */
  entries: readonly Entry[];
  /** Behind which the stored log begins; at or before the snapshot's place. Nothing: at its very beginning. */
  base?: LogBase | undefined;
  /** The stored snapshot: the state machine has been restored from it. */
  snapshot?: Snapshot | undefined;
  options?: Partial<RaftOptions>;
  /** Seeded or not, [0, 1). */
  random: () => number;
  /** Any clock that only goes forward, ms. */
  nowMs: number;
}

/** What a node is at this moment, whichever role it plays: shared by the parts that play the roles. */
export class State {
  readonly id: string;
  readonly options: RaftOptions;
  readonly random: () => number;
  readonly log: Log;
  readonly configurations = new ConfigurationHistory();
  role: Role = 'follower';
  leader = '';
  commitIndex = 0;
  nowMs: number;
  readonly #startedMs: number;
  /** When the leader was last heard; of a former leader, when a majority had last answered it. */
  heardLeaderMs = Number.NEGATIVE_INFINITY;
  /** The most that any leader said was committed. */
  leaderCommitIndex = 0;
  /** A moment at which no more was committed than this node has. */
  asOfMs = Number.NEGATIVE_INFINITY;
  /** What was committed at a moment, while this node does not have it yet. */
  #goal: { index: number; atMs: number } | undefined;
  /** How much this node should lead rather than others: from 0, only if nobody else does, to 1. */
  priority = 1;
  /** Number of the last request that was sent, in whatever role: the answer to one is never taken for that to another. */
  round = 0;
  readonly writes: Writes;
  /** The latest one, taken here or installed. */
  snapshot: Snapshot | undefined;
  #snapshotChanged = false;
  #hardState: HardState;
  #hardStateChanged = false;
  #early: Outgoing[] = [];
  #late: Outgoing[] = [];

  constructor(init: RaftInit) {
    const { term, vote } = init.hardState;
    if (init.id === '') throw new Error('A node needs an id.');
    if (!Number.isSafeInteger(term) || term < 0 || typeof vote !== 'string') {
      throw new Error(`The stored term ${term} cannot be used. Nothing was changed. Let this node join anew.`);
    }
    this.id = init.id;
    this.options = completeOptions(init.options);
    this.random = init.random;
    this.writes = new Writes(this.options.diskStallMsMax);
    this.nowMs = init.nowMs;
    this.#startedMs = init.nowMs;
    this.#hardState = { term, vote };
    this.log = new Log(init.entries, term, init.base ?? noBase);
    this.snapshot = init.snapshot;
    if (this.snapshot === undefined && this.log.base.index > 0) {
      throw new Error(
        `The stored log begins behind ${this.log.base.index} without a snapshot. Let this node join anew.`,
      );
    }
    if (init.snapshot === undefined) this.configurations.appended(init.entries);
    else this.#beginBehind(init.snapshot);
  }

  #beginBehind({ index, term, configuration }: Snapshot): void {
    if (this.log.termAt(index) !== term) {
      throw new Error(`The stored log does not hold ${index}, which its snapshot ends with. Let this node join anew.`);
    }
    this.commitIndex = index;
    this.configurations.restart(index, configuration, this.#behind(index));
  }

  #behind(index: number): Entry[] {
    return this.log.slice(index + 1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  get term(): number {
    return this.#hardState.term;
  }

  get vote(): string {
    return this.#hardState.vote;
  }

  get configuration(): Configuration {
    return this.configurations.current;
  }

  get isVoter(): boolean {
    return this.configuration.voters.includes(this.id);
  }

  /**
   * Whether it may have to lead: also one that does not vote any more by its own log. Until that is committed it may be
   * the only one left whose log a majority would follow (thesis, 4.2.2).
   */
  get mayStand(): boolean {
    return this.configurations.mayCount(this.id);
  }

  get otherVoters(): string[] {
    return this.configuration.voters.filter((voter) => voter !== this.id);
  }

  /** The own disk has not ended a write for too long: what this node says rests on it. */
  get isDiskStalled(): boolean {
    return this.nowMs >= this.writes.stalledFromMs;
  }

  /** A new term, or a vote in the present one. A vote, once given, stays for its term. */
  setHardState(term: number, vote: string): void {
    const standing = this.#hardState;
    if (term < standing.term) throw new Error(`term ${term} behind ${standing.term}`);
    if (term === standing.term && standing.vote !== '' && vote !== standing.vote) throw new Error('a second vote');
    this.#hardState = { term, vote };
    this.#hardStateChanged = true;
  }

  /** The hard state if it changed since the last call. */
  takeHardState(): HardState | undefined {
    if (!this.#hardStateChanged) return undefined;
    this.#hardStateChanged = false;
    return { ...this.#hardState };
  }

  append(entries: readonly Entry[]): void {
    this.log.append(entries);
    this.configurations.appended(entries);
  }

  truncateFrom(index: number): void {
    if (index <= this.commitIndex) throw new Error(`entry ${index} is committed`);
    this.log.truncateFrom(index);
    this.configurations.truncated(index);
  }

  commitTo(index: number): void {
    if (index <= this.commitIndex) return;
    if (index > this.log.lastIndex) throw new Error(`cannot commit ${index}, the log ends at ${this.log.lastIndex}`);
    this.commitIndex = index;
    this.#reachGoal();
  }

  /** What an answer says of when it left: whole ms, from 1, rounded down. */
  get sentMs(): number {
    return Math.floor(this.nowMs - this.#startedMs) + 1;
  }

  /**
   * The leader had committed up to there, at some moment since this node sent what that answers. How long a message was on
   * its way, in a socket of a process that stood still for one, nobody can tell but by what it answers.
   */
  leaderHas(index: number, ageMs: number, answersMs = this.sentMs - Math.ceil(ageMs)): void {
    this.leaderCommitIndex = Math.max(this.leaderCommitIndex, index);
    // What lies ahead was said to another start of this node.
    if (answersMs <= 0 || answersMs > this.sentMs) return;
    // One that lags reaches one such mark after the other.
    this.#goal ??= { index, atMs: this.#startedMs + answersMs - 1 };
    this.#reachGoal();
  }

  #reachGoal(): void {
    if (this.#goal === undefined || this.commitIndex < this.#goal.index) return;
    this.asOfMs = Math.max(this.asOfMs, this.#goal.atMs);
    this.#goal = undefined;
  }

  /** Takes a snapshot of its own applied log in place of the entries up to `baseIndex`, which lies at or before it. */
  compact(snapshot: Snapshot, baseIndex: number): void {
    this.snapshot = snapshot;
    this.#snapshotChanged = true;
    this.log.compactTo(baseIndex);
  }

  /**
   * Puts a leader's snapshot in the place of the log up to there. What comes behind it is kept only if the entry at its
   * end is the very same: otherwise another leader wrote it.
   */
  install(snapshot: Snapshot): void {
    const { index, term, configuration } = snapshot;
    if (index <= this.commitIndex) throw new Error(`a snapshot of ${index}, and ${this.commitIndex} is committed`);
    if (this.log.termAt(index) === term) this.log.compactTo(index);
    else this.log.resetTo({ index, term });
    this.snapshot = snapshot;
    this.#snapshotChanged = true;
    this.commitIndex = index;
    this.configurations.restart(index, configuration, this.#behind(index));
    this.#reachGoal();
  }

  /** The snapshot if it changed since the last call. */
  takeSnapshot(): Snapshot | undefined {
    if (!this.#snapshotChanged) return undefined;
    this.#snapshotChanged = false;
    return this.snapshot;
  }

  /** For what promises nothing: may leave before anything is on disk. */
  sendEarly(to: string, message: RaftMessage): void {
    this.#early.push({ to, message });
  }

  /** For what rests on the hard state or the log as they are now: leaves when these are on disk. */
  sendLate(to: string, message: RaftMessage): void {
    this.#late.push({ to, message });
  }

  takeMessages(): { early: Outgoing[]; late: Outgoing[] } {
    const messages = { early: this.#early, late: this.#late };
    this.#early = [];
    this.#late = [];
    return messages;
  }
}
