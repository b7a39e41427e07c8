import type { AgentHistory } from './agent-history.ts';
import type { AgentTasks } from './agent-tasks.ts';
import type { Assignment } from './assignment.ts';
import type { Context } from './context.ts';
import { Handover, type HandoverInit } from './handover.ts';
import type { Holder } from './holder.ts';
import { type Held, Recovery, type RecoveryInit } from './recovery.ts';
import { all, majorityOf, Replication } from './replication.ts';
import { StateReads } from './state-reads.ts';

export interface InstanceEpochInit {
  context: Context;
  holder: Holder;
  assignment: Assignment;
  history: AgentHistory;
  tasks: AgentTasks;
  /** For the leader: see `Handover`. */
  prepared: HandoverInit['prepared'];
  /** More holders have what was sent to them, or have said why not. */
  onProgress(): void;
  /** A holder is sealed at a higher epoch. */
  onDeposed(): void;
}

/** What an instance has of its holders in one epoch: their copies, the reads that they confirm, and where it begins. */
export class InstanceEpoch {
  readonly assignment: Assignment;
  readonly replication: Replication;
  readonly reads: StateReads;
  /** The preparation of its move to another host, if there is one. */
  readonly handover: Handover;
  /** Of what earlier epochs led to; none for a new agent. */
  recovery: Recovery | undefined;
  readonly #init: InstanceEpochInit;

  constructor(init: InstanceEpochInit) {
    this.#init = init;
    const { context, holder, assignment, history, tasks, onProgress, onDeposed } = init;
    this.assignment = assignment;
    const { agent, epoch, holders, branch } = assignment;
    const quorum = branch === undefined ? majorityOf : all;
    this.reads = new StateReads(context, holder, { agent, epoch, holders, quorum });
    const of = { context, holder, agent, epoch, holders, quorum };
    this.replication = new Replication({ ...of, source: history, onProgress, onDeposed });
    const { replication } = this;
    this.handover = new Handover({
      ...{ context, agent, replication, prepared: init.prepared },
      newest: () => ({ sequence: history.sequence, bytes: history.state.all.length }),
      isIdle: () => tasks.at === 'rest',
      task: () => tasks.view().running?.task,
      isDurable: () => replication.durableSequence() >= history.sequence,
      goOn: () => tasks.pump(),
    });
  }

  /** Seals the previous holders. `held`: what goes on here holds. */
  recover(previousHolders: readonly string[], held: (() => Held) | undefined, found: RecoveryInit['found']): void {
    const { context, holder, assignment, onDeposed } = this.#init;
    const { agent, epoch, branch } = assignment;
    const quorum = branch === undefined ? majorityOf : all;
    const of = { context, holder, agent, epoch, previousHolders, quorum };
    this.recovery = new Recovery({ ...of, held, found, deposed: onDeposed });
    this.recovery.seal();
  }

  /** It begins from the newest step of an earlier one: who has a step on the way to that needs only what came since. */
  goOnFrom(step: { epoch: number; sequence: number }): void {
    this.replication.beginFrom(step, (node) => this.recovery?.keptOf(step.epoch, node));
  }

  /** Another epoch takes its place: nothing that is still on its way to this one counts any more. */
  end(): void {
    this.recovery?.end();
    this.replication.end();
    this.reads.clear();
  }
}
