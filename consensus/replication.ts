import type { Entry } from './entry.ts';
import type { AppendReply, SnapshotReply } from './message.ts';
import { type Flight, type FlightLimits, Progress } from './progress.ts';
import { SnapshotTransfer } from './snapshot.ts';
import type { State } from './state.ts';

/** What sent the log to somebody, for a leader or a relay. */
export type Answerable = Pick<Replication, 'answered' | 'chunkAnswered'>;

/** Brings the log to others, for a leader or for one of its relays; one for each time that it leads or relays. */
export class Replication {
  readonly #state: State;
  readonly #progress = new Map<string, Progress>();
  readonly #leader: string;
  readonly #asOfMs: () => number;
  #tellAtMs = Number.POSITIVE_INFINITY;
  /** Up to here followers are told as soon as they have it. */
  #tellThroughIndex = 0;

  /**
   * `asOfMs`: a moment before which no more was committed than this node knows to be. `leader`: another node leads, and
   * only what is committed is sent, in its name.
   */
  constructor(state: State, asOfMs: () => number, leader = '') {
    this.#state = state;
    this.#asOfMs = asOfMs;
    this.#leader = leader;
  }

  get #lastIndex(): number {
    const { log, commitIndex } = this.#state;
    return this.#leader === '' ? log.lastIndex : commitIndex;
  }

  get progress(): ReadonlyMap<string, Progress> {
    return this.#progress;
  }

  /** Number of the last request that was sent. */
  get round(): number {
    return this.#state.round;
  }

  /** The lowest place that a snapshot on its way ends with: what comes behind it will be wanted next. */
  get neededFrom(): number {
    let index = Number.POSITIVE_INFINITY;
    for (const { transfer } of this.#progress.values()) index = Math.min(index, transfer?.snapshot.index ?? index);
    return index;
  }

  /**
   * Follows the configuration: newcomers are probed from the log's end, who is no member any more is forgotten.
   * `lastAckMs` of newcomers: voters that were just added are given the time to answer for the first time.
   */
  matchMembers(lastAckMs: (member: string) => number): void {
    const { configuration, id } = this.#state;
    const members = new Set([...configuration.voters, ...configuration.learners]);
    members.delete(id);
    this.match(members, lastAckMs);
    for (const voter of configuration.voters) {
      const progress = this.#progress.get(voter);
      if (progress?.relay !== undefined) progress.serveDirectly();
    }
  }

  /** Serves these and no others. */
  match(members: ReadonlySet<string>, lastAckMs: (member: string) => number): void {
    const { options } = this.#state;
    for (const known of this.#progress.keys()) if (!members.has(known)) this.#progress.delete(known);
    // More heartbeats than that have been on their way for longer than an answer to them would still count.
    const heartbeatsInFlightMax = Math.ceil(options.electionTimeoutMsMax / options.heartbeatIntervalMs) + 1;
    const { messagesInFlightMax, bytesInFlightMax } = options;
    const limits: FlightLimits = { messagesInFlightMax, bytesInFlightMax, heartbeatsInFlightMax };
    for (const member of members) {
      if (this.#progress.has(member)) continue;
      this.#progress.set(member, new Progress(this.#lastIndex + 1, lastAckMs(member), limits));
    }
  }

  /** Sends each follower what it lacks, within the limits of what may be on its way. */
  flush(): void {
    const { commitIndex, nowMs, options } = this.#state;
    const lastIndex = this.#lastIndex;
    // Entries on their way say it, too. A relay has no clock, and hears of little else.
    const isDue = nowMs >= this.#tellAtMs || this.#leader !== '' || options.commitToldMsMax === 0;
    let untold = false;
    for (const [to, progress] of this.#progress) {
      if (progress.relay !== undefined) continue;
      this.#noticeLack(progress);
      if (progress.transfer !== undefined) {
        this.#sendChunks(to, progress.transfer);
        continue;
      }
      if (progress.state === 'probe') {
        if (!progress.maySend) continue;
        if (this.#lacks(progress)) this.#heartbeat(to, progress);
        else this.#send(to, progress, progress.nextIndex - 1, this.#entriesFor(progress));
        continue;
      }
      for (let sent = 0; sent < options.messagesInFlightMax; sent += 1) {
        if (!progress.maySend || progress.nextIndex > lastIndex) break;
        this.#send(to, progress, progress.nextIndex - 1, this.#entriesFor(progress));
      }
      if (progress.toldCommitIndex >= Math.min(commitIndex, this.#agreedIndex(progress))) continue;
      if (isDue || progress.toldCommitIndex < this.#tellThroughIndex) this.#tellCommit(to, progress);
      else untold = true;
    }
    if (!untold) this.#tellAtMs = Number.POSITIVE_INFINITY;
    else if (this.#tellAtMs === Number.POSITIVE_INFINITY) this.#tellAtMs = nowMs + options.commitToldMsMax;
  }

  /** When followers are told at the latest that more is committed; Infinity: they know. */
  get tellAtMs(): number {
    return this.#tellAtMs;
  }

  /** Somebody waits for what is committed, wherever it is not told yet. */
  tellWhatIsCommitted(): void {
    this.#tellThroughIndex = this.#state.commitIndex;
  }

  /** There will be no entries that say it along. */
  tellNow(): void {
    this.#tellAtMs = this.#state.nowMs;
  }

  /** To everybody, also to those who have not answered: a probe that may be lost is made again without its load. */
  heartbeat(): void {
    const { nowMs, options } = this.#state;
    for (const [to, progress] of this.#progress) {
      if (progress.relay !== undefined) continue;
      this.#noticeLack(progress);
      if (progress.state !== 'probe') this.#heartbeat(to, progress);
      else if (this.#lacks(progress)) this.#heartbeat(to, progress);
      else if (!progress.maySend) this.#send(to, progress, progress.nextIndex - 1, []);
      // Only to who answers meanwhile: the others would not take it either.
      const stuckMs = Math.min(nowMs - 2 * options.heartbeatIntervalMs, progress.lastAckMs);
      if (progress.transfer?.isStuckSince(stuckMs)) progress.transfer.rewind();
    }
    this.flush();
  }

  /** Asks the other voters whether they still follow, for a read. */
  askForRead(): void {
    for (const voter of this.#state.otherVoters) {
      const progress = this.#progress.get(voter);
      if (progress?.maySendForRead) this.#heartbeat(voter, progress);
    }
  }

  /** Takes in an answer of this term. False: it claims what cannot be. */
  answered(from: string, reply: AppendReply): boolean {
    const progress = this.#progress.get(from);
    if (progress === undefined) return true;
    if (reply.matchIndex > this.#lastIndex) return false;
    const answer = progress.answered(reply.round);
    progress.saidMs = reply.sentMs ?? 0;
    if (reply.success) {
      progress.matched(reply.matchIndex);
      if (progress.transfer !== undefined) {
        // It has from somewhere else what the snapshot would bring.
        if (progress.matchIndex >= progress.transfer.snapshot.index) progress.replicate();
        return true;
      }
      if (answer === undefined) return true;
      if (progress.state === 'probe') progress.replicate();
      // Answers come in order: what was sent before and is neither answered nor covered was lost.
      else if (answer.earlier.some((flight) => flight.lastIndex > progress.matchIndex)) {
        progress.probeFrom(progress.matchIndex + 1);
      }
    } else if (answer !== undefined && !progress.transfer) {
      const { flight } = answer;
      if (flight.isVerified) progress.forget(this.#nextAfterConflict(reply, flight));
      else if (flight.previousIndex > progress.matchIndex) progress.probeFrom(this.#nextAfterConflict(reply, flight));
    }
    return true;
  }

  /** Takes in an answer of this term to a part of a snapshot. False: it claims what cannot be. */
  chunkAnswered(from: string, reply: SnapshotReply): boolean {
    const progress = this.#progress.get(from);
    if (progress === undefined) return true;
    if (reply.index > this.#lastIndex) return false;
    if (reply.installed) {
      progress.matched(reply.index);
      if (progress.transfer && progress.transfer.snapshot.index <= reply.index) progress.replicate();
      return true;
    }
    if (progress.transfer?.snapshot.index !== reply.index) return true;
    const sentMs = progress.transfer.answered(reply.round, reply.offset);
    if (sentMs !== undefined) progress.acked(reply.round, sentMs);
    return true;
  }

  /** What was on its way to a peer whose connection closed is lost. */
  lost(peer: string): void {
    const progress = this.#progress.get(peer);
    if (progress === undefined) return;
    progress.lostMs = this.#state.nowMs;
    // By the clock of another start, perhaps, when it answers again.
    progress.saidMs = 0;
    if (progress.transfer !== undefined) progress.transfer.rewind();
    else progress.probeFrom(progress.matchIndex + 1);
  }

  /**
   * What a follower needs next is in the log no more: a snapshot brings it, the latest when it answers. One that does not
   * answer is only asked: a snapshot would be kept for it, and the log behind, for as long as it is dead.
   */
  #noticeLack(progress: Progress): void {
    const { log, snapshot, options } = this.#state;
    if (progress.transfer !== undefined) {
      if (!this.#answers(progress)) progress.probeFrom(progress.matchIndex + 1);
      return;
    }
    if (!this.#lacks(progress)) return;
    if (snapshot === undefined) throw new Error(`the log begins behind ${log.base.index} without a snapshot`);
    if (this.#answers(progress)) {
      progress.bring(new SnapshotTransfer(snapshot, options.snapshotChunkBytes, options.snapshotChunksInFlightMax));
    } else if (progress.state !== 'probe') progress.probeFrom(progress.nextIndex);
  }

  #lacks({ nextIndex }: Progress): boolean {
    return nextIndex <= this.#state.log.base.index;
  }

  #answers(progress: Progress): boolean {
    const { nowMs, options } = this.#state;
    return progress.answeredWithin(options.electionTimeoutMsMax, nowMs);
  }

  #sendChunks(to: string, transfer: SnapshotTransfer): void {
    const { term, nowMs } = this.#state;
    const { index, term: snapshotTerm, data: whole } = transfer.snapshot;
    const { configuration, checksum } = transfer;
    for (let chunk = transfer.next(); chunk !== undefined; chunk = transfer.next()) {
      this.#state.round += 1;
      const { round } = this.#state;
      transfer.sent(round, nowMs, chunk.data.byteLength);
      const place = { term, index, snapshotTerm, configuration, length: whole.byteLength, checksum, round };
      this.#state.sendEarly(to, { type: 'snapshotChunk', body: { ...place, ...chunk, ...this.#authority } });
    }
  }

  #entriesFor(progress: Progress): Entry[] {
    const { log, options } = this.#state;
    const count = Math.min(options.entriesPerMessageMax, Math.max(0, this.#lastIndex - progress.nextIndex + 1));
    return count === 0 ? [] : log.slice(progress.nextIndex, count, options.messageBytesMax);
  }

  #heartbeat(to: string, progress: Progress): void {
    this.#send(to, progress, this.#agreedIndex(progress), []);
  }

  /** That more is committed is not answered: should it get lost, the next heartbeat says it again. */
  #tellCommit(to: string, progress: Progress): void {
    this.#send(to, progress, this.#agreedIndex(progress), [], 0);
  }

  /** Up to where both logs are known to agree. One that ends before this log begins is only asked whether it follows. */
  #agreedIndex({ matchIndex }: Progress): number {
    return matchIndex < this.#state.log.base.index ? 0 : matchIndex;
  }

  #send(to: string, progress: Progress, previousIndex: number, entries: Entry[], round = ++this.#state.round): void {
    const { log, term, nowMs } = this.#state;
    const previousTerm = previousIndex === 0 ? 0 : log.termAt(previousIndex);
    if (previousTerm === undefined) throw new Error(`no entry ${previousIndex} to send behind`);
    const lastIndex = previousIndex + entries.length;
    if (round > 0) {
      const bytes = entries.reduce((sum, { data }) => sum + data.byteLength, 0);
      const isVerified = previousIndex > 0 && previousIndex <= progress.matchIndex;
      progress.sent({ round, sentMs: nowMs, previousIndex, lastIndex, bytes, isVerified });
    }
    progress.toldCommitIndex = Math.max(progress.toldCommitIndex, Math.min(this.#state.commitIndex, lastIndex));
    const answersMs = this.#answersMs(progress);
    const body = { term, previousIndex, previousTerm, entries, round, ...this.#authority, answersMs };
    this.#state.sendEarly(to, { type: 'appendRequest', body });
  }

  /** In whose name this is sent, how long ago it gave a sign of life, and how much it said was committed. */
  get #authority(): { leader: string; ageMs: number; commitIndex: number } {
    const { nowMs, heardLeaderMs, commitIndex, leaderCommitIndex } = this.#state;
    if (this.#leader === '') return { leader: '', ageMs: 0, commitIndex };
    const ageMs = Math.ceil(nowMs - heardLeaderMs);
    return { leader: this.#leader, ageMs, commitIndex: Math.max(commitIndex, leaderCommitIndex) };
  }

  /** By the clock of whom this is sent to: what it last said, earlier by as much as what is known here is old. */
  #answersMs({ saidMs }: Progress): number {
    const ageMs = Math.max(0, Math.ceil(this.#state.nowMs - this.#asOfMs()));
    return saidMs > ageMs ? saidMs - ageMs : 0;
  }

  /** Skips all of the conflicting term that this log does not have (paper, 5.3), and always goes back at least by one. */
  #nextAfterConflict(reply: AppendReply, flight: Flight): number {
    const { log } = this.#state;
    const lastOfTerm = log.lastIndexUpToTerm(reply.conflictTerm);
    const sharesTerm = reply.conflictTerm > 0 && log.termAt(lastOfTerm) === reply.conflictTerm;
    const hint = sharesTerm ? lastOfTerm + 1 : reply.conflictIndex;
    return Math.min(hint, flight.previousIndex);
  }
}
