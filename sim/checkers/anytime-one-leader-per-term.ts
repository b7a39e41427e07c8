import type { Message, NodeId } from '../../node/core/message.ts';
import { type Checker, Violation } from './checker.ts';

/** Append requests are sent by at most one node in a term of a cluster, or in its name (Ongaro 2014, §3.4: election safety). */
export class OneLeaderPerTerm implements Checker {
  readonly name = 'anytime-one-leader-per-term';
  readonly #leaders = new Map<string, NodeId>();
  #highest = 0;
  #leader: NodeId | undefined;

  /** Highest term in which anybody led, and who did. */
  get leader(): { node: NodeId; term: number } | undefined {
    return this.#leader === undefined ? undefined : { node: this.#leader, term: this.#highest };
  }

  /** Terms in which somebody led. */
  get terms(): number {
    return this.#leaders.size;
  }

  sent(from: NodeId, cluster: string, message: Message): void {
    if (message.type !== 'appendRequest') return;
    const { term } = message.body;
    // Whoever passes it on says for whom.
    const node = message.body.leader || from;
    const key = `${cluster} ${term}`;
    const leader = this.#leaders.get(key);
    if (leader === undefined) this.#leaders.set(key, node);
    else if (leader !== node)
      throw new Violation(this.name, `${leader} and ${node} both led term ${term} of ${cluster}`);
    if (term > this.#highest) {
      this.#highest = term;
      this.#leader = node;
    }
  }
}
