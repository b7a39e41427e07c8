import type { AppendReply, SnapshotReply } from './message.ts';
import { Replication } from './replication.ts';
import type { State } from './state.ts';

/** A relay that its leader has not named for so many of the longest election timeouts serves nobody any more. */
const forgottenAfter = 2;

/**
 * The part of a follower that passes the log on to learners for its leader, as far as it is committed. It has no clock of
 * its own: when it hears from the leader, so do those that it serves, and when it does not, they do not either.
 */
export class Relaying {
  readonly #state: State;
  readonly #replication: Replication;
  readonly #term: number;
  readonly #leader: string;
  #namedMs: number;
  #passedOnMs = Number.NEGATIVE_INFINITY;

  constructor(state: State) {
    this.#state = state;
    this.#term = state.term;
    this.#leader = state.leader;
    this.#namedMs = state.nowMs;
    this.#replication = new Replication(state, () => state.asOfMs, state.leader);
  }

  /** Whether it still serves under the leader that asked for it. */
  get stands(): boolean {
    const { term, leader, role, nowMs, options } = this.#state;
    const isNamed = nowMs - this.#namedMs < forgottenAfter * options.electionTimeoutMsMax;
    // One that has become a voter may itself stand for election: then it speaks for nobody.
    return role === 'follower' && term === this.#term && leader === this.#leader && isNamed;
  }

  serve(children: readonly string[]): void {
    this.#namedMs = this.#state.nowMs;
    this.#replication.match(new Set(children), () => Number.NEGATIVE_INFINITY);
  }

  /** The leader was heard: passes it on, and says who answers. */
  heard(): void {
    const { term, nowMs, options } = this.#state;
    // A busy leader is heard far more often than anybody needs to know.
    if (!this.stands || nowMs - this.#passedOnMs < options.heartbeatIntervalMs / 2) return;
    this.#passedOnMs = nowMs;
    this.#replication.heartbeat();
    const children = [...this.#replication.progress]
      .filter(([, { lastAckMs }]) => Number.isFinite(lastAckMs))
      .map(([id, { matchIndex, lastAckMs }]) => ({ id, matchIndex, ageMs: Math.ceil(nowMs - lastAckMs) }));
    if (children.length > 0) this.#state.sendEarly(this.#leader, { type: 'relayReport', body: { term, children } });
  }

  flush(): void {
    if (this.stands) this.#replication.flush();
  }

  /** False: it claims what cannot be. */
  answered(from: string, reply: AppendReply): boolean {
    return reply.term !== this.#term || this.#replication.answered(from, reply);
  }

  chunkAnswered(from: string, reply: SnapshotReply): boolean {
    return reply.term !== this.#term || this.#replication.chunkAnswered(from, reply);
  }

  lost(peer: string): void {
    this.#replication.lost(peer);
  }
}
