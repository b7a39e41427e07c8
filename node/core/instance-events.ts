import type { Address } from './agent-outputs.ts';
import type { StepName } from './branch.ts';
import type { Message, MessageOf } from './message.ts';
import type { Outcome, TaskOperation } from './operation.ts';
import type { QueuedTask } from './task-queue.ts';

/** What the instance of an agent tells, and what it needs of its node. */
export interface InstanceEvents {
  /** The state is on a majority of the new holders: the leader may commit the epoch, which went on `from` a step. */
  copied(agent: string, epoch: number, from: StepName | undefined): void;
  /** This node cannot run the agent: the leader should decide anew. */
  relinquish(agent: string, epoch: number, reason: string): void;
  /** The target of the agent's migration is prepared, or cannot be: the leader should go on, or end it. */
  prepared(said: MessageOf<'prepared'>): void;
  /** It failed, or holds again; or its new version refuses tasks. For the leader. */
  fares(said: Extract<Message, { type: 'ailing' | 'refusing' }>): void;
  answer(task: QueuedTask, answer: MessageOf<'taskAnswer'>): void;
  progress(task: QueuedTask, progress: MessageOf<'taskProgress'>): void;
  /** The agents that an address means now. */
  resolve(to: Address): string[];
  /** Gives a task to another agent. */
  ask(operation: TaskOperation, done: (outcome: Outcome<'task'>) => void): void;
  /** Without a majority in reach a fenced agent acknowledges nothing. */
  mayAcknowledge(): boolean;
}
