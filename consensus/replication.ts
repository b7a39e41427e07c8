import type { Entry } from './entry.ts';
import type { AppendReply } from './message.ts';
import { type Flight, Progress } from './progress.ts';
import type { State } from './state.ts';

/** The part of a leader that brings its log to the others. One per term led, so nothing old can be mistaken. */
export class Replication {
  readonly #state: State;
  readonly #progress = new Map<string, Progress>();
  #round = 0;

  constructor(state: State) {
    this.#state = state;
  }

  get progress(): ReadonlyMap<string, Progress> {
    return this.#progress;
  }

  /**
   * Follows the configuration: newcomers are probed from the log's end, who is no member any more is forgotten.
   * `lastAckMs` of newcomers: voters that were just added are given the time to answer for the first time.
   */
  matchMembers(lastAckMs: (member: string) => number): void {
    const { configuration, id, log, options } = this.#state;
    const members = new Set([...configuration.voters, ...configuration.learners]);
    members.delete(id);
    for (const known of this.#progress.keys()) if (!members.has(known)) this.#progress.delete(known);
    // More heartbeats than that have been on their way for longer than an answer to them would still count.
    const heartbeatsMax = Math.ceil(options.electionTimeoutMsMax / options.heartbeatIntervalMs) + 1;
    for (const member of members) {
      if (this.#progress.has(member)) continue;
      const nextIndex = log.lastIndex + 1;
      this.#progress.set(
        member,
        new Progress(nextIndex, lastAckMs(member), options.messagesInFlightMax, heartbeatsMax),
      );
    }
  }

  /** Sends each follower what it lacks, within the limits of what may be on its way. */
  flush(): void {
    const { log, commitIndex, options } = this.#state;
    for (const [to, progress] of this.#progress) {
      if (progress.state === 'probe') {
        if (progress.maySend) this.#send(to, progress, progress.nextIndex - 1, this.#entriesFor(progress));
        continue;
      }
      for (let sent = 0; sent < options.messagesInFlightMax; sent += 1) {
        if (!progress.maySend || progress.nextIndex > log.lastIndex) break;
        this.#send(to, progress, progress.nextIndex - 1, this.#entriesFor(progress));
      }
      if (progress.toldCommitIndex < Math.min(commitIndex, progress.matchIndex)) this.#heartbeat(to, progress);
    }
  }

  /** To everybody, also to those who have not answered: a probe that may be lost is made again without its load. */
  heartbeat(): void {
    for (const [to, progress] of this.#progress) {
      if (progress.state === 'replicate') this.#heartbeat(to, progress);
      else if (!progress.maySend) this.#send(to, progress, progress.nextIndex - 1, []);
    }
    this.flush();
  }

  /** Takes in an answer of this term. False: it claims what cannot be. */
  answered(from: string, reply: AppendReply): boolean {
    const progress = this.#progress.get(from);
    if (progress === undefined) return true;
    if (reply.matchIndex > this.#state.log.lastIndex) return false;
    const answer = progress.answered(reply.round);
    if (reply.success) {
      progress.matched(reply.matchIndex);
      if (answer === undefined) return true;
      if (progress.state === 'probe') progress.replicate();
      // Answers come in order: what was sent before and is neither answered nor covered was lost.
      else if (answer.earlier.some((flight) => flight.lastIndex > progress.matchIndex)) {
        progress.probeFrom(progress.matchIndex + 1);
      }
    } else if (answer !== undefined && answer.flight.previousIndex > progress.matchIndex) {
      progress.probeFrom(this.#nextAfterConflict(reply, answer.flight));
    }
    return true;
  }

  /** What was on its way to a peer whose connection closed is lost. */
  lost(peer: string): void {
    const progress = this.#progress.get(peer);
    progress?.probeFrom(progress.matchIndex + 1);
  }

  #entriesFor(progress: Progress): Entry[] {
    const { log, options } = this.#state;
    return log.slice(progress.nextIndex, options.entriesPerMessageMax, options.messageBytesMax);
  }

  #heartbeat(to: string, progress: Progress): void {
    this.#send(to, progress, progress.matchIndex, []);
  }

  #send(to: string, progress: Progress, previousIndex: number, entries: Entry[]): void {
    const { log, term, nowMs } = this.#state;
    const previousTerm = log.termAt(previousIndex);
    if (previousTerm === undefined) throw new Error(`no entry ${previousIndex} to send behind`);
    this.#round += 1;
    const lastIndex = previousIndex + entries.length;
    const commitIndex = Math.min(this.#state.commitIndex, lastIndex);
    const round = this.#round;
    progress.sent({ round, sentMs: nowMs, previousIndex, lastIndex });
    progress.toldCommitIndex = Math.max(progress.toldCommitIndex, commitIndex);
    const body = { term, previousIndex, previousTerm, commitIndex, entries, round };
    this.#state.sendEarly(to, { type: 'appendRequest', body });
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
