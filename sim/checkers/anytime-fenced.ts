import type { Effect } from '../../node/core/effect.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Operation, Outcome, Results } from '../../node/core/operation.ts';
import { type AcceptedLosses, totalIn } from '../accepted-losses.ts';
import type { Ledger } from '../ledger.ts';
import { type Checker, Violation } from './checker.ts';

/**
 * Once an agent that an operator let go on without most of its holders is placed anew, no earlier host of it acknowledges
 * anything any more: nobody can be sealed against it.
 */
export class Fenced implements Checker {
  readonly name = 'anytime-fenced';
  readonly #ledger: Ledger;
  readonly #losses: Pick<AcceptedLosses, 'isLost' | 'indexOf'>;
  /** By node and agent: epochs that it runs. */
  readonly #hosted = new Map<string, Set<number>>();

  constructor(ledger: Ledger, losses: Pick<AcceptedLosses, 'isLost' | 'indexOf'>) {
    this.#ledger = ledger;
    this.#losses = losses;
  }

  started(node: NodeId): void {
    for (const key of this.#hosted.keys()) if (key.startsWith(`${node} `)) this.#hosted.delete(key);
  }

  did(node: NodeId, effect: Effect): void {
    if (effect.type !== 'startAgent' && effect.type !== 'stopAgent') return;
    const key = `${node} ${effect.agent}`;
    const epochs = this.#hosted.get(key) ?? new Set();
    this.#hosted.set(key, epochs);
    if (effect.type === 'startAgent') epochs.add(effect.epoch);
    else epochs.delete(effect.epoch);
  }

  /** A host says it to the node that asked. */
  sent(node: NodeId, _cluster: string, message: Message): void {
    if (message.type !== 'taskAnswer') return;
    const { agent, task, ok, value, refusal, branch } = message.body;
    if (ok && refusal === '' && branch === undefined) this.#judge(node, agent, task, value);
  }

  /** A host says it to whoever asked it; what others pass on may have been on its way for long. */
  answered(node: NodeId, _request: string, operation: Operation, outcome: Outcome): void {
    if (operation.type !== 'task' || !outcome.ok) return;
    const { value, provisional } = outcome.result as Results['task'];
    if (provisional !== true && this.#isHost(node, operation.agent))
      this.#judge(node, operation.agent, operation.task, value);
  }

  #isHost(node: NodeId, agent: string): boolean {
    const index = this.#losses.indexOf(agent) ?? 0;
    return [...(this.#hosted.get(`${node} ${agent}`) ?? [])].some((epoch) => epoch < index);
  }

  #judge(node: NodeId, agent: string, task: string, value: Uint8Array): void {
    const index = this.#losses.indexOf(agent);
    const epoch = this.#ledger.agents.get(agent)?.placement?.epoch ?? 0;
    if (index === undefined || epoch < index) return;
    const total = totalIn(value);
    if (total === undefined || !this.#losses.isLost(agent, task, total)) return;
    const what = `${node} acknowledged ${task} of ${agent} with total ${total}`;
    throw new Violation(
      this.name,
      `${what}, which is of an epoch before ${index}, and epoch ${epoch} was placed since an operator let it go on`,
    );
  }
}
