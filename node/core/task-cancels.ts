import type { AgentTaskEvents, CancelDone, Cancelled, RunningTask, Step } from './agent-task-events.ts';
import { errors } from './errors.ts';
import type { TaskResult } from './message.ts';
import { isOver, type ResultTable } from './result-table.ts';
import type { RunningTasks } from './running-tasks.ts';
import type { TaskAnswers } from './task-answers.ts';
import type { QueuedTask } from './task-queue.ts';
import { reasonBytes } from './text.ts';

/** Wishes to cancel one task. */
const cancelsMax = 64;

export interface TaskCancelsInit {
  agent: string;
  running: RunningTasks;
  answers: TaskAnswers;
  events: Pick<AgentTaskEvents, 'cancel' | 'confirm'>;
  results(): ResultTable;
  /** Takes out all of that id that wait, for good. */
  takeWaiting(id: string): QueuedTask[];
  /** Undefined: it showed that another host took over. */
  record(step: Step, tasks: readonly QueuedTask[]): TaskResult | undefined;
  /** Has taken back what stands behind the first. */
  recall(): void;
}

/** Wishes of operators that a task of an agent be ended without an effect. */
export class TaskCancels {
  readonly #init: TaskCancelsInit;
  /** Of what stood behind another when they came, and has come back. */
  #returned: { task: string; done: CancelDone }[] = [];

  constructor(init: TaskCancelsInit) {
    this.#init = init;
  }

  /** Ends a task that waits, here or elsewhere, is set aside, or runs and its code lets it. */
  cancel(id: string, done: CancelDone, waitsElsewhere: boolean): void {
    const { agent, running, answers, results } = this.#init;
    const known = results().get(id);
    if (known !== undefined && isOver(known)) {
      const over: Cancelled = { ok: false, error: errors.taskOver({ agent, task: id }) };
      answers.afterStep(known.sequence, () => done(known.cancelled === true ? { ok: true, was: 'cancelled' } : over));
      return;
    }
    const one = running.get(id);
    if (one === undefined) this.#cancelWaiting(id, known?.aside !== undefined, done, waitsElsewhere);
    else this.#cancelRunning(one, done);
  }

  /** One that stands behind another is taken back first. */
  #cancelRunning(one: RunningTask, done: CancelDone): void {
    const { running, events, recall } = this.#init;
    if (one.cancels.length >= cancelsMax) {
      const what = `requests to cancel task "${one.task.task}"`;
      return done({ ok: false, error: errors.backlogFull({ what, max: cancelsMax }) });
    }
    one.cancels.push(done);
    if (one === running.first) events.cancel(one.task);
    else recall();
  }

  #cancelWaiting(id: string, isAside: boolean, done: CancelDone, waitsElsewhere: boolean): void {
    const { agent, answers, events, takeWaiting, record } = this.#init;
    const waiting = takeWaiting(id);
    if (waiting.length === 0 && !isAside && !waitsElsewhere) {
      const error = errors.taskUnknown({ agent, task: id });
      return events.confirm(() => done({ ok: false, error }));
    }
    const step = { task: id, ok: false, value: reasonBytes('it was cancelled'), cancelled: true };
    const result = record(step, waiting);
    if (result === undefined) return this.#refuse([done]);
    answers.afterStep(result.sequence, () => done({ ok: true, was: isAside ? 'setAside' : 'waiting' }));
  }

  /** Where another task is first now: that it is to be cancelled could not be said before it was begun. */
  sayFirst(before: RunningTask | undefined): void {
    const { first } = this.#init.running;
    if (first !== undefined && first !== before && first.cancels.length > 0) this.#init.events.cancel(first.task);
  }

  /** It has ended. `result`: its last step; undefined: another host took over. */
  ended({ task, cancels }: RunningTask, result: TaskResult | undefined): void {
    if (cancels.length === 0) return;
    if (result === undefined) return this.#refuse(cancels);
    const error = errors.taskOver({ agent: this.#init.agent, task: task.task });
    const cancelled: Cancelled = result.cancelled === true ? { ok: true, was: 'running' } : { ok: false, error };
    for (const done of cancels) this.#init.answers.afterStep(result.sequence, () => done(cancelled));
  }

  /** They wait again: `cancelReturned` is to follow. */
  onReturned(returned: readonly RunningTask[]): void {
    for (const { task, cancels } of returned)
      for (const done of cancels) this.#returned.push({ task: task.task, done });
  }

  /** Cancels what has come back and was to be cancelled. */
  cancelReturned(): void {
    for (let wish = this.#returned.shift(); wish !== undefined; wish = this.#returned.shift()) {
      this.cancel(wish.task, wish.done, false);
    }
  }

  /** Nothing is cancelled here any more, of those that ran neither. */
  end(running: readonly RunningTask[]): void {
    const returned = this.#returned.map(({ done }) => done);
    this.#returned = [];
    this.#refuse([...running.flatMap(({ cancels }) => cancels), ...returned]);
  }

  #refuse(wishes: readonly CancelDone[]): void {
    if (wishes.length === 0) return;
    const error = errors.agentNotReady({ agent: this.#init.agent });
    for (const done of wishes) done({ ok: false, error });
  }
}
