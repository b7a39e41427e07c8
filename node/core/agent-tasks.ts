import type { StepChanges } from './agent-state.ts';
import type { AgentTaskEvents, CancelDone, RunningTask, Step } from './agent-task-events.ts';
import { viewOf } from './agent-tasks-view.ts';
import { BeginTurn } from './begin-turn.ts';
import type { Context } from './context.ts';
import type { TaskAside, TaskResult } from './message.ts';
import type { AgentTasksView } from './operation.ts';
import { ResultAges } from './result-ages.ts';
import { isOver, ResultTable } from './result-table.ts';
import { retryAfterMs } from './retry-after.ts';
import { RunningTasks } from './running-tasks.ts';
import { reportSetAside } from './set-aside-report.ts';
import { limits } from './settings.ts';
import { TaskAnswers } from './task-answers.ts';
import { TaskCancels } from './task-cancels.ts';
import { type QueuedTask, TaskQueue } from './task-queue.ts';
import { reasonBytes } from './text.ts';

const nothing = new Uint8Array(0);
/** So many tasks are begun with care after an instance took over: what ended the one before may come again. */
const carefulTasks = 16;

/**
 * The tasks of one agent at its host, from their arrival to their answer. Each takes effect once, by its id. Once an
 * instance has ended in the middle of a task, tasks are begun with care: that one was begun is made durable first, so
 * that a task which ends instance after instance, or host after host, is found out and set aside.
 */
export class AgentTasks {
  readonly #context: Context;
  readonly #agent: string;
  readonly #events: AgentTaskEvents;
  #queue = new TaskQueue();
  readonly #answers: TaskAnswers;
  readonly #cancels: TaskCancels;
  #results = new ResultTable();
  #ages: ResultAges;
  readonly #running = new RunningTasks();
  /** That it is begun is not durable yet. */
  #held: { task: QueuedTask; sequence: number; tries: number } | undefined;
  #careful = 0;
  readonly #turn = new BeginTurn(() => this.#beginNext());

  constructor(context: Context, agent: string, events: AgentTaskEvents) {
    this.#context = context;
    this.#agent = agent;
    this.#events = events;
    this.#answers = new TaskAnswers(agent, events);
    this.#cancels = new TaskCancels({
      ...{ agent, running: this.#running, answers: this.#answers, events },
      results: () => this.#results,
      takeWaiting: (id) => this.#takeWaiting(id),
      record: (step, tasks) => this.#record(step, tasks),
      recall: () => this.#recall(true),
    });
    this.#ages = new ResultAges(limits.resultsAgeMsMax);
  }

  get results(): ResultTable {
    return this.#results;
  }

  /** Below this step results are too old to be kept. */
  get resultsFrom(): number {
    return this.#ages.keptFrom;
  }

  get length(): number {
    return this.#queue.length + this.#running.count + (this.#held === undefined ? 0 : 1);
  }

  /** Whether it is at no task, about to begin one, or at it. */
  get at(): 'rest' | 'begin' | 'task' {
    if (this.#running.count > 0) return 'task';
    return this.#held === undefined ? 'rest' : 'begin';
  }

  /** Goes on from what the holders kept. How the instance before ended nobody knows, unless it `rested`. */
  restore(results: readonly TaskResult[], rested: boolean): void {
    this.#results = new ResultTable(results);
    this.#ages = new ResultAges(limits.resultsAgeMsMax);
    this.#careful = rested ? 0 : carefulTasks;
  }

  // ---- from arrival to begin ----

  submit(task: QueuedTask): void {
    const before = this.#answers.asked(task);
    if (before !== undefined) {
      before.progress ||= task.progress;
      return;
    }
    const known = this.#results.known(task);
    const isAnswered = known !== undefined && this.#isAnswered(task, known);
    // What is done is not called refused, however much waits.
    const isFull = this.#answers.count >= limits.agentQueueMax * (isAnswered ? 2 : 1);
    if (isFull || (!isAnswered && this.#results.isFullFor(task.task))) {
      this.#answers.refuse(task, 'backlogFull', retryAfterMs(this.length, this.#running.meanTaskMs));
      return;
    }
    const payload = task.retry === '' ? task.payload : known?.aside?.payload;
    if (payload === undefined && !isAnswered) {
      // A host that was replaced may not know of it.
      this.#events.confirm(() => this.#answers.refuse(task, 'taskUnknown'));
      return;
    }
    const asked = { ...task, payload: payload ?? nothing };
    this.#answers.ask(asked);
    if (isAnswered) this.#answers.await(asked, known);
    else this.#queue.push(asked);
    this.#recall(false);
    this.pump();
  }

  /** Whether the task's answer stands already. Another try is made once for each wish. */
  #isAnswered({ retry, wasCutShort }: QueuedTask, known: TaskResult): boolean {
    if (isOver(known) || known.aside === undefined) return isOver(known);
    return retry === '' || (known.aside.retriedBy === retry && wasCutShort === undefined);
  }

  /** Begins what can be begun. */
  pump(): void {
    this.#turn.take();
  }

  #beginNext(): void {
    while (this.#running.hasRoom(this.#context.nowMs) && this.#events.isReady()) {
      if (this.#held !== undefined && !this.#beginHeld(this.#held)) return;
      const task = this.#queue.take();
      if (task === undefined) return;
      const became = this.#begin(task);
      if (became === 'over') this.#queue.done(task);
      else if (became === 'waits') return this.#queue.putBack(task);
      else if (became === 'held') return;
    }
  }

  /** What becomes of it: it is over also when it needs no answer any more; it `waits` until those before it are. */
  #begin(task: QueuedTask): 'over' | 'begun' | 'held' | 'waits' {
    const known = this.#results.known(task);
    if (known !== undefined && this.#isAnswered(task, known)) {
      this.#answers.await(task, known);
      return 'over';
    }
    if (task.deadlineMs <= this.#context.nowMs || (task.retry === '' && !this.#events.isWanted(task.task))) {
      this.#answers.drop(task);
      return 'over';
    }
    // It may have been asked by two nodes.
    if (this.isRunning(task.task)) return 'waits';
    const isAlone = this.#careful > 0 || known !== undefined || !this.#events.joins(task);
    if (isAlone && this.#running.count > 0) return 'waits';
    if (this.#careful === 0 && known === undefined) {
      this.#run(task, 0, isAlone);
      return 'begun';
    }
    const recorded = known?.tries ?? 0;
    const tries = recorded > 0 && recorded === task.wasCutShort?.tries ? recorded - 1 : recorded;
    if (task.retry !== '' && known?.aside !== undefined) {
      // Whatever becomes of this host, it is not tried again for the same wish.
      this.#hold(task, 0, { ...known.aside, retriedBy: task.retry });
    } else if (tries < limits.taskTriesMax) this.#hold(task, tries + 1);
    else {
      this.#setAside(task, tries, 'each time what ran it ended before it was done');
      return 'over';
    }
    return 'held';
  }

  /** Makes durable that it is about to begin. */
  #hold(task: QueuedTask, tries: number, aside?: TaskAside): void {
    task.wasCutShort = undefined;
    const begun = aside === undefined ? { tries } : { aside };
    const queue = this.#queue;
    const { sequence } = this.#events.record({ task: task.task, ok: false, value: nothing, ...begun });
    if (queue === this.#queue) this.#held = { task, sequence, tries };
    else this.#answers.refuse(task, 'agentNotReady');
  }

  /** Whether nothing is held any more and the next task may be looked for. */
  #beginHeld({ task, sequence, tries }: { task: QueuedTask; sequence: number; tries: number }): boolean {
    if (sequence > this.#events.durableSequence()) return false;
    this.#held = undefined;
    if (task.deadlineMs > this.#context.nowMs) {
      this.#run(task, tries, true);
      return false;
    }
    // It was not begun after all.
    if (task.retry === '') this.#events.record({ task: task.task, ok: false, value: nothing, tries: tries - 1 });
    this.#answers.drop(task);
    this.#queue.done(task);
    return true;
  }

  #run(task: QueuedTask, tries: number, isAlone: boolean): void {
    this.#running.add(task, tries, isAlone, this.#context.nowMs);
    this.#events.run(task);
  }

  // ---- from begin to end ----

  isRunning(task: string): boolean {
    return this.#running.get(task) !== undefined;
  }

  /** A task is done, or was refused; what it changed becomes part of the state with its result. */
  onRan(id: string, ok: boolean, value: Uint8Array, changes?: StepChanges): void {
    const { first } = this.#running;
    const ran = this.#running.end(id, this.#context.nowMs);
    if (ran === undefined) return;
    this.#careful = Math.max(0, this.#careful - 1);
    const cancelled = !ok && ran.cancels.length > 0;
    this.#end(ran, { task: id, ok, value, ...(cancelled && { cancelled }) }, changes);
    this.#cancels.sayFirst(first);
    this.#recall(false);
  }

  /**
   * What ran the task is gone, and the task with it: it is tried again, unless that has happened too often. `innocent`: by
   * no fault of the agent, so that it does not count. Those behind it were not begun.
   */
  onFailed(reason: string, innocent = false): void {
    const [failed, ...behind] = this.#running.takeAll();
    if (failed === undefined) return;
    const isTried = !innocent || failed.cancels.length > 0;
    this.#putBack(isTried ? behind : [failed, ...behind]);
    if (isTried) this.#endTry(failed, reason);
    this.#cancels.cancelReturned();
  }

  #endTry(failed: RunningTask, reason: string): void {
    const { task } = failed;
    const id = task.task;
    task.failures = (task.failures ?? 0) + 1;
    // A careful begin counted this try already.
    const tries = failed.tries === 0 ? (this.#results.get(id)?.tries ?? 0) + 1 : failed.tries;
    if (failed.cancels.length > 0) {
      this.#end(failed, { task: id, ok: false, value: reasonBytes(reason), cancelled: true });
    } else if (task.retry !== '' || task.failures >= limits.taskFailuresMax) {
      this.#setAside(task, (this.#results.get(id)?.aside?.tries ?? tries - 1) + 1, reason);
      this.#queue.done(task);
    } else {
      this.#queue.putBack(task);
      if (failed.tries === 0) this.#events.record({ task: id, ok: false, value: nothing, tries });
    }
  }

  /** They were not begun, and will not be. */
  onReturned(ids: readonly string[]): void {
    const { first } = this.#running;
    this.#turn.take(() => {
      this.#putBack(this.#running.giveBack(ids, this.#context.nowMs));
      this.#cancels.cancelReturned();
      this.#cancels.sayFirst(first);
    });
  }

  /** What ran them is asked for nothing any more: all are to be begun anew. */
  onStopped(): void {
    this.#turn.take(() => {
      this.#putBack(this.#running.takeAll());
      this.#cancels.cancelReturned();
    });
  }

  /** All of them first: to record something may show that another host took over, and that ends what waits here. */
  #putBack(given: readonly RunningTask[]): void {
    for (const { task } of given) this.#queue.putBack(task);
    this.#cancels.onReturned(given);
    for (const { task, tries } of given) {
      if (tries > 0) this.#events.record({ task: task.task, ok: false, value: nothing, tries: tries - 1 });
    }
  }

  #end(ended: RunningTask, step: Step, changes?: StepChanges): void {
    const result = this.#record(step, [ended.task], changes);
    this.#queue.done(ended.task);
    this.#cancels.ended(ended, result);
  }

  #setAside(task: QueuedTask, tries: number, reason: string): void {
    const { key, priority, payload } = task;
    const [told, before] = [reason.slice(0, limits.reasonLengthMax), this.#results.aside()];
    const aside = { payload, key, priority, tries, reason: told, retriedBy: task.retry };
    const result = this.#record({ task: task.task, ok: false, value: nothing, aside }, [task]);
    if (result === undefined) return;
    reportSetAside(this.#context, this.#agent, { task: task.task, tries, reason: told, before, after: this.#results });
  }

  /** What a running task says before it is done: told to those who asked for that. */
  onProgress(id: string, value: Uint8Array): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.said += 1;
    this.#answers.progress(id, running.said, value);
  }

  // ---- answers ----

  /** Makes it a step that answers those tasks. Undefined: that showed that another host took over, and they are refused. */
  #record(step: Step, tasks: readonly QueuedTask[], changes?: StepChanges): TaskResult | undefined {
    const queue = this.#queue;
    const result = this.#events.record(step, changes);
    const isEnded = queue !== this.#queue;
    for (const task of tasks) {
      if (isEnded) this.#answers.refuse(task, 'agentNotReady');
      else this.#answers.await(task, result);
    }
    return isEnded ? undefined : result;
  }

  /** Calls it once a majority of the holders has that step, and acknowledging is allowed. */
  afterStep(sequence: number, done: () => void): void {
    this.#answers.afterStep(sequence, done);
  }

  /** Answers all that a majority of the holders keeps. */
  acknowledge(durableSequence: number): void {
    this.#answers.acknowledge(durableSequence);
  }

  // ---- operators ----

  /** Ends a task without an effect: one that waits, here or elsewhere, is set aside, or runs and its code lets it. */
  cancel(id: string, done: CancelDone, waitsElsewhere = false): void {
    this.#turn.take(() => this.#cancels.cancel(id, done, waitsElsewhere));
  }

  #recall(isWanted: boolean): void {
    const { nowMs } = this.#context;
    if (this.#running.takeRecall(isWanted, this.#queue.priority, nowMs)) this.#events.recall();
  }

  #takeWaiting(id: string): QueuedTask[] {
    const waiting = this.#queue.remove(id);
    if (this.#held?.task.task !== id) return waiting;
    const { task } = this.#held;
    this.#queue.done(task);
    this.#held = undefined;
    return [...waiting, task];
  }

  view(): AgentTasksView {
    const waiting = [...(this.#held === undefined ? [] : [this.#held.task]), ...this.#queue.all()];
    const { all: given, meanTaskMs } = this.#running;
    return viewOf({ given, waiting, results: this.#results, meanTaskMs }, this.#context.nowMs);
  }

  // ---- time and end ----

  /** Often: has taken back what stands behind a task that takes long, or before one that is more urgent. */
  look(): void {
    this.#recall(false);
  }

  tick(newestSequence: number): void {
    this.#ages.note(this.#context.nowMs, newestSequence);
    this.#results.forgetBelow(this.#ages.keptFrom);
  }

  /** Gives up all that was not answered, for whoever runs the agent next. */
  end(): QueuedTask[] {
    const running = this.#running.takeAll();
    const begun = [...running, ...(this.#held === undefined ? [] : [this.#held])];
    for (const { task, tries } of begun) task.wasCutShort = { tries };
    const tasks = [...this.#answers.end(), ...begun.map(({ task }) => task), ...this.#queue.all()];
    this.#held = undefined;
    // It may go on later, and then no key is taken by a task that nobody runs.
    this.#queue = new TaskQueue();
    this.#cancels.end(running);
    return tasks;
  }
}
