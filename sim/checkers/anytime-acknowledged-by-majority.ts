import type { Effect, Write } from '../../node/core/effect.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Operation, Outcome, Results } from '../../node/core/operation.ts';
import type { TaskResult } from '../../node/core/wire/messages.ts';
import { HostedEpochs } from '../hosted-epochs.ts';
import type { Ledger } from '../ledger.ts';
import { type Checker, Violation } from './checker.ts';
import { ResultsOnDisk } from './results-on-disk.ts';

/** What a step says of a task. */
type Fate = 'begun' | 'over' | 'cancelled' | 'aside';
/** What an answer says of it, by its refusal: of the rest nothing. */
const fates: Readonly<Record<string, Fate>> = { '': 'over', taskCancelled: 'cancelled', taskSetAside: 'aside' };

function fateOf({ tries, aside, cancelled }: TaskResult): Fate {
  if (aside !== undefined) return 'aside';
  if (tries !== undefined) return 'begun';
  return cancelled === true ? 'cancelled' : 'over';
}

const toldIn = (result: TaskResult): string => `${result.task} ${fateOf(result)}`;

/**
 * An answer to a task leaves only from the host that the log named, and only when its result is on the disks of a
 * majority of the holders that the log named with it: so no older epoch acknowledges what a newer one does not know.
 */
export class AcknowledgedByMajority implements Checker {
  readonly name = 'anytime-acknowledged-by-majority';
  readonly #ledger: Ledger;
  readonly #hosted = new HostedEpochs();
  /** By agent and task: the epochs in which each node has its result on disk. */
  readonly #kept = new Map<string, Map<NodeId, Set<number>>>();
  readonly #disks = new ResultsOnDisk(toldIn);

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  started(node: NodeId): void {
    this.#hosted.started(node);
  }

  did(node: NodeId, effect: Effect): void {
    this.#hosted.did(node, effect);
  }

  durable(node: NodeId, writes: readonly Write[]): void {
    this.#disks.durable(node, writes, (agent, epoch, tasks) => {
      for (const task of tasks) this.#keep(`${agent} ${task}`, node, epoch);
    });
  }

  #keep(key: string, node: NodeId, epoch: number): void {
    let nodes = this.#kept.get(key);
    if (nodes === undefined) this.#kept.set(key, (nodes = new Map()));
    const epochs = nodes.get(node);
    if (epochs === undefined) nodes.set(node, new Set([epoch]));
    else epochs.add(epoch);
  }

  /** The host says it to the node that asked. */
  sent(node: NodeId, _cluster: string, message: Message): void {
    if (message.type !== 'taskAnswer') return;
    const { agent, task, refusal, branch } = message.body;
    // A branch's answer is provisional: `anytime-branch` judges it.
    if (branch !== undefined) return;
    const fate = fates[refusal];
    if (fate === undefined) return;
    const hosted = this.#hosted.of(node, agent);
    const named = hosted.some((epoch) => this.#ledger.placement(agent, epoch)?.host === node);
    if (!named)
      throw new Violation(this.name, `${node} answered ${task} of ${agent}, which the log does not place there`);
    this.#judge(node, agent, task, fate);
  }

  /** A node says it to a client: the host itself, or whoever passed the task on. */
  answered(node: NodeId, _request: string, operation: Operation, outcome: Outcome): void {
    if (operation.type === 'taskCancel' && outcome.ok) this.#judge(node, operation.agent, operation.task, 'cancelled');
    if (operation.type !== 'task') return;
    if (outcome.ok && (outcome.result as Results['task']).provisional) return;
    const fate = outcome.ok || outcome.error.code === 'taskFailed' ? 'over' : fates[outcome.error.code];
    if (fate !== undefined) this.#judge(node, operation.agent, operation.task, fate);
  }

  /**
   * Who has it, in which epochs. One that is set aside may be cancelled or done in the end: who got the whole state only then
   * has the step, too, in the history that it got.
   */
  #keptOf(agent: string, task: string, fate: Fate): Map<NodeId, Set<number>> {
    const kept = new Map<NodeId, Set<number>>();
    for (const each of fate === 'aside' ? (['aside', 'cancelled', 'over'] as const) : [fate]) {
      for (const [node, epochs] of this.#kept.get(`${agent} ${task} ${each}`) ?? []) {
        kept.set(node, new Set([...(kept.get(node) ?? []), ...epochs]));
      }
    }
    return kept;
  }

  #judge(node: NodeId, agent: string, task: string, fate: Fate): void {
    const kept = this.#keptOf(agent, task, fate);
    const epochs = new Set([...kept.values()].flatMap((each) => [...each]));
    const found: string[] = [];
    for (const epoch of epochs) {
      const holders = this.#ledger.placement(agent, epoch)?.holders ?? [];
      const having = holders.filter((holder) => kept.get(holder)?.has(epoch));
      if (having.length > holders.length / 2) return;
      found.push(`in epoch ${epoch} on ${having.length} of ${holders.length} holders`);
    }
    const where = found.join(', ') || 'on no disk';
    throw new Violation(this.name, `${node} acknowledged ${task} of ${agent}, whose result is ${where}`);
  }
}
