import type { StepChanges } from './agent-state.ts';
import type { AgentTaskEvents, CancelDone, Cancelled, RunningTask, Step, WaitingAnswer } from './agent-task-events.ts';
import type { Context } from './context.ts';
import { errors } from './errors.ts';
import type { TaskAside, TaskResult } from './message.ts';
import type { AgentTasksView } from './operation.ts';
import { ResultAges } from './result-ages.ts';
import { isOver, ResultTable } from './result-table.ts';
import { RunningTasks } from './running-tasks.ts';
import { reportSetAside } from './set-aside-report.ts';
import { limits } from './settings.ts';
import { type QueuedTask, TaskQueue } from './task-queue.ts';
import { reasonBytes } from './text.ts';

const nothing = new Uint8Array(0);
/** So many tasks are begun with care after an instance took over: what ended the one before may come again. */
const carefulTasks = 16;
/** Wishes to cancel one task. */
const cancelsMax = 64;

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
  /** Asked and not yet answered, by who asked: the same task asked again by the same node is answered once. */
  readonly #asked = new Map<string, QueuedTask>();
  #results = new ResultTable();
  #ages: ResultAges;
  readonly #running = new RunningTasks();
  /** That it is begun is not durable yet. */
  #held: { task: QueuedTask; sequence: number; tries: number } | undefined;
  #waiting: WaitingAnswer[] = [];
  #careful = 0;

  constructor(context: Context, agent: string, events: AgentTaskEvents) {
    this.#context = context;
    this.#agent = agent;
    this.#events = events;
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
    const key = keyOf(task);
    const before = this.#asked.get(key);
    if (before !== undefined) {
      before.progress ||= task.progress;
      return;
    }
    const known = this.#results.known(task);
    const isAnswered = known !== undefined && this.#isAnswered(task, known);
    // What is done is not called refused, however much waits.
    const isFull = this.#asked.size >= limits.agentQueueMax * (isAnswered ? 2 : 1);
    if (isFull || (!isAnswered && this.#results.isFullFor(task.task))) {
      this.refuse(task, 'backlogFull', this.#running.halfTimeMs(this.length));
      return;
    }
    const payload = task.retry === '' ? task.payload : known?.aside?.payload;
    if (payload === undefined && !isAnswered) {
      // A host that was replaced may not know of it.
      this.#events.confirm(() => this.refuse(task, 'taskUnknown'));
      return;
    }
    const asked = { ...task, payload: payload ?? nothing };
    this.#asked.set(key, asked);
    if (isAnswered) this.#await(asked, known);
    else this.#queue.push(asked);
    this.pump();
  }

  /** Whether the task's answer stands already. Another try is made once for each wish. */
  #isAnswered({ retry, wasCutShort }: QueuedTask, known: TaskResult): boolean {
    if (isOver(known) || known.aside === undefined) return isOver(known);
    return retry === '' || (known.aside.retriedBy === retry && wasCutShort === undefined);
  }

  /** Begins what can be begun. */
  pump(): void {
    while (this.#running.hasRoom && this.#events.isReady()) {
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
      this.#await(task, known);
      return 'over';
    }
    if (task.deadlineMs <= this.#context.nowMs || (task.retry === '' && !this.#events.isWanted(task.task))) {
      this.#asked.delete(keyOf(task));
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
    const { sequence } = this.#events.record({ task: task.task, ok: false, value: nothing, ...begun });
    this.#held = { task, sequence, tries };
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
    this.#asked.delete(keyOf(task));
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
    const ran = this.#running.end(id, this.#context.nowMs);
    if (ran === undefined) return;
    this.#careful = Math.max(0, this.#careful - 1);
    const cancelled = !ok && ran.cancels.length > 0;
    this.#end(ran, { task: id, ok, value, ...(cancelled && { cancelled }) }, changes);
    // It was to be cancelled before it was begun.
    const next = this.#running.first;
    if (next !== undefined && next.cancels.length > 0) this.#events.cancel(next.task);
  }

  /**
   * What ran the task is gone, and the task with it: it is tried again, unless that has happened too often. `innocent`: by
   * no fault of the agent, so that it does not count. Those behind it were not begun.
   */
  onFailed(reason: string, innocent = false): void {
    const [failed, ...behind] = this.#running.takeAll();
    for (const one of behind) this.#putBack(one);
    if (failed === undefined) return;
    const isCancelled = failed.cancels.length > 0;
    if (innocent && !isCancelled) return this.#putBack(failed);
    const { task } = failed;
    const id = task.task;
    task.failures = (task.failures ?? 0) + 1;
    // A careful begin counted this try already.
    const tries = failed.tries === 0 ? (this.#results.get(id)?.tries ?? 0) + 1 : failed.tries;
    if (isCancelled) this.#end(failed, { task: id, ok: false, value: reasonBytes(reason), cancelled: true });
    else if (task.retry !== '' || task.failures >= limits.taskFailuresMax) {
      this.#setAside(task, (this.#results.get(id)?.aside?.tries ?? tries - 1) + 1, reason);
      this.#queue.done(task);
    } else {
      if (failed.tries === 0) this.#events.record({ task: id, ok: false, value: nothing, tries });
      this.#queue.putBack(task);
    }
  }

  /** They were not begun, and will not be; without names: nothing that was given to the code is. */
  onReturned(ids?: readonly string[]): void {
    const returned = ids?.map((id) => this.#running.take(id)) ?? this.#running.takeAll();
    for (const one of returned) if (one !== undefined) this.#putBack(one);
    this.pump();
  }

  #putBack({ task, tries, cancels }: RunningTask): void {
    if (tries > 0) this.#events.record({ task: task.task, ok: false, value: nothing, tries: tries - 1 });
    this.#queue.putBack(task);
    for (const done of cancels) this.cancel(task.task, done);
  }

  #end({ task, cancels }: RunningTask, step: Step, changes?: StepChanges): void {
    const result = this.#events.record(step, changes);
    this.#await(task, result);
    this.#queue.done(task);
    if (cancels.length === 0) return;
    const error = errors.taskOver({ agent: this.#agent, task: task.task });
    const cancelled: Cancelled = result.cancelled === true ? { ok: true, was: 'running' } : { ok: false, error };
    for (const done of cancels) this.afterStep(result.sequence, () => done(cancelled));
  }

  #setAside(task: QueuedTask, tries: number, reason: string): void {
    const { key, priority, payload } = task;
    const [told, before] = [reason.slice(0, limits.reasonLengthMax), this.#results.aside()];
    const aside = { payload, key, priority, tries, reason: told, retriedBy: task.retry };
    const result = this.#events.record({ task: task.task, ok: false, value: nothing, aside });
    this.#await(task, result);
    reportSetAside(this.#context, this.#agent, { task: task.task, tries, reason: told, before, after: this.#results });
  }

  /** What a running task says before it is done: told to those who asked for that. */
  onProgress(id: string, value: Uint8Array): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.said += 1;
    for (const task of this.#asked.values()) {
      if (task.task === id && task.progress) this.#events.progress(task, running.said, value);
    }
  }

  // ---- answers ----

  #await(task: QueuedTask, result: TaskResult): void {
    this.#waiting.push({ sequence: result.sequence, done: () => this.#answer(task, result), task });
  }

  /** Calls it once a majority of the holders has that step, and acknowledging is allowed. */
  afterStep(sequence: number, done: () => void): void {
    this.#waiting.push({ sequence, done, task: undefined });
  }

  /** Answers all that a majority of the holders keeps. */
  acknowledge(durableSequence: number): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const one of waiting) {
      if (one.sequence <= durableSequence) one.done();
      else this.#waiting.push(one);
    }
  }

  #answer(task: QueuedTask, { ok, value, valueDropped, cancelled, aside }: TaskResult): void {
    this.#asked.delete(keyOf(task));
    let refusal = valueDropped ? 'resultDropped' : '';
    if (cancelled === true) refusal = 'taskCancelled';
    if (aside !== undefined) refusal = 'taskSetAside';
    const told = aside === undefined ? value : reasonBytes(aside.reason, { tries: aside.tries });
    this.#events.answer(task, { task: task.task, agent: this.#agent, ok: ok && refusal === '', value: told, refusal });
  }

  refuse(task: QueuedTask, refusal: string, retryAfterMs = 0): void {
    const answer = { task: task.task, agent: this.#agent, ok: false, value: nothing, refusal };
    this.#events.answer(task, { ...answer, ...(retryAfterMs > 0 && { retryAfterMs }) });
  }

  // ---- operators ----

  /** Ends a task without an effect: one that waits, here or elsewhere, is set aside, or runs and its code lets it. */
  cancel(id: string, done: CancelDone, waitsElsewhere = false): void {
    const known = this.#results.get(id);
    if (known !== undefined && isOver(known)) {
      const over: Cancelled = { ok: false, error: errors.taskOver({ agent: this.#agent, task: id }) };
      this.afterStep(known.sequence, () => done(known.cancelled === true ? { ok: true, was: 'cancelled' } : over));
    } else {
      const running = this.#running.get(id);
      if (running === undefined) this.#cancelWaiting(id, known?.aside !== undefined, done, waitsElsewhere);
      else this.#cancelRunning(running, done);
    }
  }

  /** One that stands behind another is taken back first. */
  #cancelRunning(running: RunningTask, done: CancelDone): void {
    if (running.cancels.length >= cancelsMax) {
      const what = `requests to cancel task "${running.task.task}"`;
      return done({ ok: false, error: errors.backlogFull({ what, max: cancelsMax }) });
    }
    running.cancels.push(done);
    if (running === this.#running.first) this.#events.cancel(running.task);
    else this.#recall(true);
  }

  #recall(isWanted: boolean): void {
    if (this.#running.takeRecall(isWanted, this.#context.nowMs)) this.#events.recall();
  }

  #cancelWaiting(id: string, isAside: boolean, done: CancelDone, waitsElsewhere: boolean): void {
    const waiting = this.#queue.remove(id);
    if (this.#held?.task.task === id) {
      waiting.push(this.#held.task);
      this.#queue.done(this.#held.task);
      this.#held = undefined;
    }
    if (waiting.length === 0 && !isAside && !waitsElsewhere) {
      const error = errors.taskUnknown({ agent: this.#agent, task: id });
      return this.#events.confirm(() => done({ ok: false, error }));
    }
    const step = { task: id, ok: false, value: reasonBytes('it was cancelled'), cancelled: true };
    const result = this.#events.record(step);
    for (const task of waiting) this.#await(task, result);
    this.afterStep(result.sequence, () => done({ ok: true, was: isAside ? 'setAside' : 'waiting' }));
    this.pump();
  }

  view(): AgentTasksView {
    const { nowMs } = this.#context;
    const [running, ...behind] = this.#running.all;
    const held = this.#held === undefined ? [] : [this.#held.task];
    const waiting = [...behind.map(({ task }) => task), ...held, ...this.#queue.all()];
    return {
      running: running && { task: running.task.task, forMs: Math.round(nowMs - running.sinceMs) },
      waiting: waiting.length,
      first: waiting.slice(0, limits.tasksListedMax).map(({ task, priority, key }) => ({ task, priority, key })),
      setAside: this.#results.aside().map(({ task, aside }) => ({
        task,
        tries: aside?.tries ?? 0,
        reason: aside?.reason ?? '',
        bytes: aside?.payload.byteLength ?? 0,
      })),
      meanTaskMs: Math.round(this.#running.meanTaskMs * 100) / 100,
    };
  }

  // ---- time and end ----

  /** Often: has taken back what stands behind a task that takes long. */
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
    const tasks = [...this.#waiting.map(({ task }) => task), ...begun.map(({ task }) => task), ...this.#queue.all()];
    const error = errors.agentNotReady({ agent: this.#agent });
    for (const { cancels } of running) for (const done of cancels) done({ ok: false, error });
    this.#waiting = [];
    this.#held = undefined;
    // It may go on later, and then no key is taken by a task that nobody runs.
    this.#queue = new TaskQueue();
    this.#asked.clear();
    return tasks.filter((task) => task !== undefined);
  }
}

const keyOf = (task: QueuedTask): string => `${task.origin}/${task.task}`;
