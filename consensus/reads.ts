import { majorityOf } from './quorum.ts';
import type { Replication } from './replication.ts';
import type { State } from './state.ts';

/** A read may be answered by whoever has applied the log up to there. */
export interface ReadyRead {
  /** As `Raft.read` numbered it. */
  id: number;
  index: number;
}

/** Nothing was changed. `notReady`: no entry of this term is committed yet; the log may hold more than this leader knows. */
export type ReadRefusal = 'notLeader' | 'notReady' | 'tooMany';

interface Round {
  /** Requests of a later number were sent after the round began. */
  afterRound: number;
  index: number;
  ids: number[];
}

/**
 * Linearizable reads without an entry in the log (ReadIndex: thesis, 6.4): a leader that a majority still follows, asked
 * after the read began, knows of everything that was committed before. One round at a time; what comes meanwhile goes
 * together with the next.
 */
export class Reads {
  readonly #state: State;
  readonly #replication: Replication;
  #waiting: number[] = [];
  #round: Round | undefined;
  #ready: ReadyRead[] = [];

  constructor(state: State, replication: Replication) {
    this.#state = state;
    this.#replication = replication;
  }

  get count(): number {
    return this.#waiting.length + (this.#round?.ids.length ?? 0);
  }

  /** Of those not answered. */
  get ids(): number[] {
    return [...(this.#round?.ids ?? []), ...this.#waiting];
  }

  add(id: number, isLeased: boolean): void {
    if (isLeased) this.#ready.push({ id, index: this.#state.commitIndex });
    else this.#waiting.push(id);
  }

  /** Ends a round that a majority has answered, and begins the next. */
  flush(): void {
    this.#end();
    if (this.#round !== undefined || this.#waiting.length === 0) return;
    this.#round = {
      afterRound: this.#replication.round,
      index: this.#state.commitIndex,
      ids: this.#waiting,
    };
    this.#waiting = [];
    this.#replication.askForRead();
    // Who votes alone has nobody to ask.
    this.#end();
  }

  takeReady(): ReadyRead[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  #end(): void {
    const round = this.#round;
    if (round === undefined) return;
    const { configuration, id } = this.#state;
    const { progress } = this.#replication;
    const follows = (voter: string): boolean =>
      voter === id || (progress.get(voter)?.ackedRound ?? 0) > round.afterRound;
    if (configuration.voters.filter(follows).length < majorityOf(configuration.voters.length)) return;
    for (const read of round.ids) this.#ready.push({ id: read, index: round.index });
    this.#round = undefined;
  }
}
