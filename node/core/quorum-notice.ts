import { type Context, reportLocally } from './context.ts';
import type { Decisions } from './decisions.ts';

/** Tells when a node comes to hear a majority, or hears none any more. */
export class QuorumNotice {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #changed: (quorum: boolean) => void;
  #quorum = false;

  constructor(context: Context, decisions: Decisions, changed: (quorum: boolean) => void) {
    this.#context = context;
    this.#decisions = decisions;
    this.#changed = changed;
  }

  look(): void {
    const quorum = this.#decisions.hearsQuorum();
    if (quorum === this.#quorum) return;
    this.#quorum = quorum;
    const text = quorum ? 'hears a leader with a majority' : 'hears no majority: fenced agents wait';
    reportLocally(this.#context, quorum ? 'quorumFound' : 'quorumLost', text);
    this.#changed(quorum);
  }
}
