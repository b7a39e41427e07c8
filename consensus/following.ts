import { acceptAppend } from './acceptance.ts';
import { decodeConfiguration } from './configuration.ts';
import type { AppendRequest, SnapshotChunk } from './message.ts';
import { type Snapshot, SnapshotAssembly } from './snapshot.ts';
import type { State } from './state.ts';

/** What a leader's word can lead to; the part that follows asks for these, others do them. */
export interface FollowingEvents {
  /** Go on as a follower in this term, of this leader. */
  follow(term: number, leader: string): void;
  /** The leader gave a sign of life, so long ago. */
  heard(ageMs: number): void;
  /** A message made no sense; the state is unchanged. */
  rejected(): void;
}

/** The part of a node that takes in what the leader of its term sends: entries, and snapshots chunk by chunk. */
export class Following {
  readonly #state: State;
  readonly #events: FollowingEvents;
  #assembly: SnapshotAssembly | undefined;
  #installed: Snapshot | undefined;

  constructor(state: State, events: FollowingEvents) {
    this.#state = state;
    this.#events = events;
  }

  appendRequested(from: string, request: AppendRequest): void {
    const state = this.#state;
    if (request.term < state.term) {
      // The sender learns from the term that its time is over. It may lead again by then: to none of its present requests
      // is this an answer.
      const { term } = state;
      const body = { term, success: false, matchIndex: 0, conflictIndex: 0, conflictTerm: 0, round: 0 };
      state.sendLate(from, { type: 'appendReply', body });
      return;
    }
    if (!this.#heardFrom(from, request)) return;
    const { sentMs } = state;
    state.leaderHas(request.commitIndex, request.ageMs, request.answersMs);
    const body = acceptAppend(state, request);
    // Entries brought what the snapshot would have.
    if (this.#assembly !== undefined && this.#assembly.index <= state.commitIndex) this.#assembly = undefined;
    if (body === undefined) this.#events.rejected();
    else if (request.round > 0) state.sendLate(from, { type: 'appendReply', body: { ...body, sentMs } });
  }

  /**
   * The leader of a term spoke, or a relay in its name. False, state unchanged: another one leads in that term, or it is
   * not for this node: voters listen to the leader alone, and the others to members alone.
   */
  #heardFrom(from: string, { term, leader: named, ageMs }: Pick<AppendRequest, 'term' | 'leader' | 'ageMs'>): boolean {
    const state = this.#state;
    const leader = named === '' ? from : named;
    const { voters, learners } = state.configuration;
    const isRelayed = leader !== from;
    if (isRelayed && (state.isVoter || !(voters.includes(from) || learners.includes(from)))) return false;
    if (leader === state.id || (term === state.term && state.leader !== '' && state.leader !== leader)) {
      this.#events.rejected();
      return false;
    }
    if (term > state.term || state.role !== 'follower' || state.leader !== leader) this.#events.follow(term, leader);
    this.#events.heard(ageMs);
    return true;
  }

  chunkReceived(from: string, chunk: SnapshotChunk): void {
    const state = this.#state;
    const { index } = chunk;
    if (chunk.term >= state.term && !this.#heardFrom(from, chunk)) return;
    const round = chunk.term === state.term ? chunk.round : 0;
    const answer = { term: state.term, index, offset: 0, installed: false, round };
    if (chunk.term === state.term) {
      if (chunk.length > state.options.snapshotBytesMax) {
        this.#events.rejected();
        return;
      }
      answer.installed = index <= state.commitIndex || this.#assemble(chunk);
      answer.offset = this.#assembly?.offset ?? 0;
    }
    state.sendLate(from, { type: 'snapshotReply', body: answer });
  }

  /** Takes in a part of a snapshot. True: that was the last one, and the snapshot stands in the log's place. */
  #assemble(chunk: SnapshotChunk): boolean {
    if (!this.#assembly?.isOf(chunk)) this.#assembly = new SnapshotAssembly(chunk);
    this.#assembly.take(chunk);
    if (!this.#assembly.isWhole) return false;
    const configuration = decodeConfiguration(chunk.configuration);
    const snapshot = configuration && this.#assembly.finish(configuration);
    this.#assembly = undefined;
    if (snapshot === undefined) {
      this.#events.rejected();
      return false;
    }
    this.#state.install(snapshot);
    this.#installed = snapshot;
    return true;
  }

  /** A snapshot that was installed since the last call. */
  takeInstalled(): Snapshot | undefined {
    const installed = this.#installed;
    this.#installed = undefined;
    return installed;
  }
}
