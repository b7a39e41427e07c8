import type { StepChanges } from './agent-state.ts';
import type { ConclaveError } from './errors.ts';
import type { MessageOf, TaskResult } from './message.ts';
import type { Results } from './operation.ts';
import type { QueuedTask } from './task-queue.ts';

/** A step of the replicated state before it has its sequence. */
export type Step = Omit<TaskResult, 'sequence' | 'valueDropped'>;

/** What an agent's tasks need of the instance that does them. */
export interface AgentTaskEvents {
  /** Whether a task can be begun now. */
  isReady(): boolean;
  run(task: QueuedTask): void;
  /** Whether a task may be given to the code while it is at another one, or another one while it is at that. */
  joins(task: QueuedTask): boolean;
  /** Has those given back that were given to the code and not begun. */
  recall(): void;
  cancel(task: QueuedTask): void;
  /** Makes it the next step of the replicated state, with what it changed there. */
  record(step: Step, changes?: StepChanges): TaskResult;
  /** Through which step a majority of the holders has all. */
  durableSequence(): number;
  /** Calls it once a majority of the holders has confirmed that this is the agent's host. */
  confirm(done: () => void): void;
  /** Whether a task that the agent gave itself is still to be done. */
  isWanted(task: string): boolean;
  answer(task: QueuedTask, answer: MessageOf<'taskAnswer'>): void;
  progress(task: QueuedTask, number: number, value: Uint8Array): void;
}

/** How the wish to cancel a task ended. */
export type Cancelled = { ok: true; was: Results['taskCancel']['was'] } | { ok: false; error: ConclaveError };
export type CancelDone = (cancelled: Cancelled) => void;

/** A task that is being done, or will be next. */
export interface RunningTask {
  task: QueuedTask;
  /** When it was begun, as far as that is known here; while it stands behind another, when it was given. */
  sinceMs: number;
  /** As a careful begin recorded them, this one included; 0 of any other. */
  tries: number;
  /** Values that it told. */
  said: number;
  /** No other is given to the code beside it. */
  isAlone: boolean;
  /** Who wants it cancelled. */
  cancels: CancelDone[];
}
