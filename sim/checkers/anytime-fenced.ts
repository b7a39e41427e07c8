import type { Effect, EffectOf } from '../../node/core/effect.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Operation, Outcome, Results } from '../../node/core/operation.ts';
import { defaultSettings } from '../../node/core/settings.ts';
import { type AcceptedLosses, totalIn } from '../accepted-losses.ts';
import { HostedEpochs } from '../hosted-epochs.ts';
import type { Ledger } from '../ledger.ts';
import { type Checker, Violation } from './checker.ts';

type Report = EffectOf<'report'>['report'];

/** What lives in a world. */
export interface Living {
  readonly nowMs: number;
  instances(): readonly { node: NodeId; agent: string; epoch: number }[];
}

/**
 * Once an agent that an operator let go on without most of its holders is placed anew, no earlier host of it acknowledges
 * anything any more: nobody can be sealed against it. A host of its last epoch may do so for as long as it may go without a
 * word from a leader; until then the agent is not placed, unless that host has ended it.
 */
export class Fenced implements Checker {
  readonly name = 'anytime-fenced';
  readonly #ledger: Ledger;
  readonly #losses: Pick<AcceptedLosses, 'isLost' | 'indexOf'>;
  readonly #living: Living;
  readonly #hosted = new HostedEpochs();
  /** By agent: when it was let go on, and the last epoch that answered. */
  readonly #waiting = new Map<string, { sinceMs: number; epoch: number | undefined }>();
  #index = 0;

  constructor(living: Living, ledger: Ledger, losses: Pick<AcceptedLosses, 'isLost' | 'indexOf'>) {
    this.#living = living;
    this.#ledger = ledger;
    this.#losses = losses;
  }

  started(node: NodeId): void {
    this.#hosted.started(node);
  }

  did(node: NodeId, effect: Effect): void {
    this.#hosted.did(node, effect);
  }

  /** To be told after the ledger. */
  reported(_node: NodeId, { index, kind, details }: Report): void {
    if (index <= this.#index) return;
    this.#index = index;
    const { agent } = details as { agent?: string };
    if (agent === undefined) return;
    if (kind === 'agentRecovered') {
      const epoch = this.#ledger.agents.get(agent)?.active?.epoch;
      this.#waiting.set(agent, { sinceMs: this.#living.nowMs, epoch });
    } else if (kind === 'agentPlaced') this.#onPlaced(agent);
    else if (kind === 'agentDeleted') this.#waiting.delete(agent);
  }

  #onPlaced(agent: string): void {
    const { sinceMs, epoch } = this.#waiting.get(agent) ?? {};
    this.#waiting.delete(agent);
    if (sinceMs === undefined) return;
    const passedMs = Math.round(this.#living.nowMs - sinceMs);
    const old = this.#living.instances().find((other) => other.agent === agent && other.epoch === epoch);
    if (old === undefined || passedMs >= defaultSettings.hostSilentMs) return;
    const what = `${agent} is placed anew ${passedMs} ms after an operator let it go on`;
    throw new Violation(this.name, `${what}, and ${old.node} still runs it in epoch ${epoch}`);
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
    return this.#hosted.of(node, agent).some((epoch) => epoch < index);
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
