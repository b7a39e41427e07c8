import type { Event } from '../../node/core/event.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Ledger } from '../ledger.ts';
import { type Checker, Violation } from './checker.ts';

/**
 * A host goes on for 1.2 s after it last heard a leader, and a leader leads for 1.2 s after a majority last answered;
 * frames may be on their way for 2 s. Twice that is out of the question.
 */
const graceMs = 8_000;

/**
 * Without a majority a node acknowledges nothing of a fenced agent. Who heard whom, and when by the hearer's own clock,
 * is the world's knowledge: a node is in touch when it heard somebody who had heard a majority of the voters.
 */
export class MajorityOnly implements Checker {
  readonly name = 'anytime-majority-only';
  readonly #ledger: Ledger;
  readonly #clockMs: (node: NodeId) => number;
  /** By hearer and speaker, by the hearer's clock. */
  readonly #heardMs = new Map<NodeId, Map<NodeId, number>>();

  constructor(ledger: Ledger, clockMs: (node: NodeId) => number) {
    this.#ledger = ledger;
    this.#clockMs = clockMs;
  }

  happened(node: NodeId, event: Event): void {
    if (event.type !== 'message') return;
    let heard = this.#heardMs.get(node);
    if (heard === undefined) this.#heardMs.set(node, (heard = new Map()));
    heard.set(event.from, this.#clockMs(node));
  }

  sent(node: NodeId, _cluster: string, message: Message): void {
    if (message.type !== 'taskAnswer' || message.body.refusal !== '') return;
    // What autonomy allows is for `anytime-branch` to judge.
    if (message.body.branch !== undefined) return;
    const { voters } = this.#ledger;
    const hasMajority = (one: NodeId, withinMs: number): boolean => {
      const heard = this.#heardBy(one, withinMs);
      return voters.filter((voter) => voter === one || heard.has(voter)).length > voters.length / 2;
    };
    if (hasMajority(node, graceMs)) return;
    if ([...this.#heardBy(node, graceMs)].some((other) => hasMajority(other, 2 * graceMs))) return;
    const { task, agent } = message.body;
    throw new Violation(this.name, `${node} answered ${task} of ${agent}, cut off from a majority for ${graceMs} ms`);
  }

  #heardBy(node: NodeId, withinMs: number): Set<NodeId> {
    const nowMs = this.#clockMs(node);
    const heard = [...(this.#heardMs.get(node) ?? [])].filter(([, atMs]) => nowMs - atMs <= withinMs);
    return new Set(heard.map(([other]) => other));
  }
}
