import type { RunnerEvents, RunOptions } from './ports.ts';

export interface WaitingTask extends RunOptions {
  task: string;
  payload: Uint8Array;
  /** It is to be given up as soon as it runs. */
  isCancelled?: boolean;
}

/** What a task may take, ms. */
export interface TaskTimes {
  /** One without a deadline, or with an earlier one. */
  taskTimeoutMs: number;
  /** After a later deadline, to give up or to end. */
  taskGraceMs: number;
}

/** One instance of an agent, as every runner has it; what it runs in is the runner's own. */
export interface RunnerInstance {
  agent: string;
  epoch: number;
  started: boolean;
  /** The task that it is at. */
  running: string | undefined;
  waiting: WaitingTask[];
  /** When it has to have answered. */
  timer: NodeJS.Timeout | undefined;
}

export interface RunnerInstancesInit<I extends RunnerInstance> {
  /** Tasks that wait at one instance. */
  tasksWaitingMax: number;
  /** Ends what an instance runs in: because it was asked for, or because it failed. */
  release(instance: I, why: 'asked' | 'failed'): void;
  failed: RunnerEvents['failed'];
  returned: RunnerEvents['returned'];
}

/** An instance that has not started. */
export const newInstance = (agent: string, epoch: number): RunnerInstance => ({
  ...{ agent, epoch, started: false, running: undefined, waiting: [], timer: undefined },
});

/**
 * How long a task may take from its begin on, ms: until its deadline, and never less than any other. What agents give each other
 * and themselves, and a branch to be taken in, nobody gave a deadline: only a time until which it is begun.
 */
export function timeOf({ task, merges, deadlineMs }: WaitingTask, taskTimeoutMs: number): number {
  if (deadlineMs === undefined || merges === true || task.startsWith('~')) return taskTimeoutMs;
  return Math.max(taskTimeoutMs, Math.ceil(deadlineMs - performance.now()));
}

const reasonLengthMax = 2_000;

const keyOf = (agent: string, epoch: number): string => `${agent}/${epoch}`;

/** The instances of a runner: their tasks in order, the time that each answer has, and how they end. */
export class RunnerInstances<I extends RunnerInstance> {
  readonly #init: RunnerInstancesInit<I>;
  readonly #byKey = new Map<string, I>();

  constructor(init: RunnerInstancesInit<I>) {
    this.#init = init;
  }

  get all(): I[] {
    return [...this.#byKey.values()];
  }

  /** It has neither ended nor failed. */
  has(instance: I): boolean {
    return this.#byKey.get(keyOf(instance.agent, instance.epoch)) === instance;
  }

  get(agent: string, epoch: number): I | undefined {
    return this.#byKey.get(keyOf(agent, epoch));
  }

  add(instance: I): void {
    this.#byKey.set(keyOf(instance.agent, instance.epoch), instance);
  }

  /**
   * Has a task wait at its instance, and returns that. A task for an instance that is gone is dropped: its end was told or
   * asked for, and whoever knows runs it again.
   */
  queue(agent: string, epoch: number, { payload, ...rest }: WaitingTask): I | undefined {
    const instance = this.#byKey.get(keyOf(agent, epoch));
    if (instance === undefined) return undefined;
    const { tasksWaitingMax } = this.#init;
    if (instance.waiting.length >= tasksWaitingMax) {
      this.failSoon(instance, `more than ${tasksWaitingMax} tasks wait for it`);
      return undefined;
    }
    // A copy: a view holds, and takes along, the whole buffer behind it.
    instance.waiting.push({ ...rest, payload: new Uint8Array(payload) });
    return instance;
  }

  /** Takes the next task, which is the running one from here on. */
  next(instance: I): WaitingTask | undefined {
    if (!instance.started || instance.running !== undefined) return undefined;
    const late: string[] = [];
    let next = instance.waiting.shift();
    for (; next?.deadlineMs !== undefined && next.deadlineMs <= performance.now(); next = instance.waiting.shift()) {
      late.push(next.task);
    }
    if (late.length > 0) this.#return(instance, late);
    if (next !== undefined) instance.running = next.task;
    return next;
  }

  /** Whether a task waits here that is to be given up: its code is told once it runs. */
  cancelWaiting({ waiting }: I, task: string): boolean {
    const found = waiting.find((one) => one.task === task);
    if (found !== undefined) found.isCancelled = true;
    return found !== undefined;
  }

  /** Gives those back that were not begun. */
  recall(agent: string, epoch: number): void {
    const instance = this.#byKey.get(keyOf(agent, epoch));
    if (instance === undefined) return;
    const { waiting } = instance;
    instance.waiting = [];
    this.#return(
      instance,
      waiting.map(({ task }) => task),
    );
  }

  /** In a turn of its own: whoever gave them is in the middle of its own work. */
  #return(instance: I, tasks: string[]): void {
    setImmediate(() => {
      if (this.has(instance)) this.#init.returned(instance.agent, instance.epoch, tasks);
    });
  }

  expectWithin(instance: I, withinMs: number, otherwise: string): void {
    clearTimeout(instance.timer);
    instance.timer = setTimeout(() => this.fail(instance, `${otherwise} within ${withinMs} ms`), withinMs);
    instance.timer.unref();
  }

  /** A task that has longer than others is asked to give up at its deadline, by `cancel`, and has a grace then. */
  expectTask(instance: I, next: WaitingTask, limits: TaskTimes, cancel: () => void): void {
    const withinMs = timeOf(next, limits.taskTimeoutMs);
    const otherwise = `it did not answer task ${next.task}`;
    if (withinMs <= limits.taskTimeoutMs) return this.expectWithin(instance, withinMs, otherwise);
    clearTimeout(instance.timer);
    instance.timer = setTimeout(() => {
      cancel();
      const late = `${otherwise} within ${withinMs} ms, its deadline, nor, when it was asked to give up,`;
      this.expectWithin(instance, limits.taskGraceMs, late);
    }, withinMs);
    instance.timer.unref();
  }

  /** Later, as all other answers: the caller is in the middle of its own work. */
  failSoon(instance: I, reason: string, innocent = false): void {
    setImmediate(() => this.fail(instance, reason, innocent));
  }

  fail(instance: I, reason: string, innocent = false): void {
    if (!this.has(instance)) return;
    this.#end(instance, 'failed');
    this.#init.failed(instance.agent, instance.epoch, reason.slice(0, reasonLengthMax), innocent);
  }

  /** What runs under an epoch is known under another one from here on; undefined where there is nothing. */
  renew(agent: string, from: number, epoch: number): I | undefined {
    const instance = this.#byKey.get(keyOf(agent, from));
    if (instance === undefined) return undefined;
    this.#byKey.delete(keyOf(agent, from));
    instance.epoch = epoch;
    this.#byKey.set(keyOf(agent, epoch), instance);
    return instance;
  }

  stop(agent: string, epoch: number): void {
    const instance = this.#byKey.get(keyOf(agent, epoch));
    if (instance !== undefined) this.#end(instance, 'asked');
  }

  stopAll(): void {
    for (const instance of this.all) this.#end(instance, 'asked');
  }

  #end(instance: I, why: 'asked' | 'failed'): void {
    clearTimeout(instance.timer);
    this.#byKey.delete(keyOf(instance.agent, instance.epoch));
    instance.started = false;
    instance.waiting = [];
    this.#init.release(instance, why);
  }
}
