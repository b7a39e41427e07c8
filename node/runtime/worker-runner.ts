import type { Worker } from 'node:worker_threads';
import { AgentThread, type AgentThreadLimits } from './agent-thread.ts';
import { AgentThreads } from './agent-threads.ts';
import { ModuleFiles } from './module-files.ts';
import type { Runner, RunnerEvents, RunOptions } from './ports.ts';
import { PreparedThreads } from './prepared-threads.ts';
import { newInstance, type RunnerInstance, RunnerInstances } from './runner-instances.ts';
import type { Seat, SeatEvents } from './seat.ts';
import { thrownText } from './thrown-text.ts';

export interface WorkerLimits extends AgentThreadLimits {
  /** Agents that share a thread, where their type lets them. */
  seatsMax: number;
  /** Heap, and buffers, of a thread that agents share. */
  sharedMbMax: number;
  /** Resident memory of the process, beyond what all of its threads together may have. */
  residentMarginMb: number;
  /** Threads that have booted and wait for an agent that wants one of its own. */
  sparesMax: number;
  /** Tasks that wait at one instance. */
  tasksWaitingMax: number;
  /** Module files that are kept. */
  modulesMax: number;
}

export const defaultWorkerLimits: WorkerLimits = {
  heapMbMax: 128,
  // A large state, the one before it, and what is on its way between them and the node.
  externalMbMax: 384,
  seatsMax: 384,
  sharedMbMax: 512,
  residentMarginMb: 384,
  startTimeoutMs: 15_000,
  taskTimeoutMs: 30_000,
  taskGraceMs: 5_000,
  taskCpuMsMax: 20_000,
  tasksWaitingMax: 256,
  sparesMax: 2,
  modulesMax: 512,
  lineLengthMax: 2_000,
  linesPerSMax: 100,
};

export interface WorkerRunnerInit {
  /** The program of the threads: `worker.ts`, or what was built from it. */
  workerUrl: URL;
  /** Where modules are kept as files. */
  directory: string;
  events: RunnerEvents;
  limits?: Partial<WorkerLimits>;
  /** What agents print, a line at a time. */
  log?: (agent: string, line: string) => void;
  /** The thread that an agent got. */
  seated?: (agent: string, epoch: number, thread: number) => void;
  /** Right after an `ahead`: calls back when it was taken in. By itself that is in the next turn. */
  afterAhead?: (more: () => void) => void;
  /**
   * Right after a `ran`: calls back when that is told even where the next task ends the process, which is begun with that. By
   * itself it is told at once. `isAwaited`: the next task is there.
   */
  afterRan?: (next: () => void, isAwaited: boolean) => void;
}

type StartOrder = Parameters<Runner['start']>[0];

interface Instance extends RunnerInstance {
  /** None when it could not be had; the instance is about to fail then. */
  place: { thread: AgentThread; seat: Seat } | undefined;
}

const mb = 1024 * 1024;
const atOnce = (next: () => void): void => next();
const measureIntervalMs = 250;
/** A thread at rest is measured only every so many times. */
const measureRestTurns = 8;
/** Agents that broke a shared thread and are kept apart since. */
const apartMax = 1_000;

/** Makes a runner of `worker` agents. Throws what the file system throws when the directory cannot be made. */
export function createWorkerRunner(init: WorkerRunnerInit): Runner {
  return new WorkerRunner(init);
}

/**
 * Runs each agent in a thread of its own, or those of one type together in few: a crash, a hang or a memory blow-up ends
 * that thread and nothing else, or in a few ways the process that all are in. A thread keeps agents apart by
 * accident, not by force: their code runs with the rights of the node's user.
 */
class WorkerRunner implements Runner {
  readonly #init: WorkerRunnerInit;
  readonly #limits: WorkerLimits;
  readonly #modules: ModuleFiles;
  readonly #instances: RunnerInstances<Instance>;
  readonly #threads: AgentThreads;
  readonly #prepared: PreparedThreads;
  readonly #running = new Set<AgentThread>();
  /** Threads that agents share, by what these have in common. */
  readonly #shared = new Map<string, Set<AgentThread>>();
  /** Agents that broke a thread which they shared: from then on each has one of its own, whatever its type says. */
  readonly #apart = new Set<string>();
  #measureTimer: NodeJS.Timeout | undefined;
  #measureTurn = 0;
  #stopped = false;

  constructor(init: WorkerRunnerInit) {
    this.#init = init;
    this.#limits = { ...defaultWorkerLimits, ...init.limits };
    this.#modules = new ModuleFiles(init.directory, this.#limits.modulesMax);
    this.#threads = new AgentThreads(init.workerUrl, this.#limits);
    this.#prepared = new PreparedThreads(this.#threads, init.events.prepared, this.#limits.startTimeoutMs);
    this.#instances = new RunnerInstances({
      tasksWaitingMax: this.#limits.tasksWaitingMax,
      release: ({ place }) => place?.thread.leave(place.seat),
      failed: init.events.failed,
      returned: init.events.returned,
    });
  }

  start(order: StartOrder): void {
    if (this.#stopped) return;
    const { agent, agentType, epoch, source, isolation } = order;
    this.stop(agent, epoch);
    const instance: Instance = { ...newInstance(agent, epoch), place: undefined };
    this.#instances.add(instance);
    try {
      const moduleUrl = this.#modules.urlOf(source);
      if (isolation === 'type' && !this.#apart.has(agent)) {
        this.#seat(instance, this.#sharedThread(`${agentType} ${moduleUrl}`), moduleUrl, order);
      } else this.#startAlone(instance, moduleUrl, order);
    } catch (error) {
      this.#instances.failSoon(instance, `it cannot be started: ${thrownText(error)}`);
      return;
    }
    this.#measureNowAndThen();
  }

  /** In the thread that was made ready for it, one that is there, or a new one when it is its turn. */
  #startAlone(instance: Instance, moduleUrl: string, order: StartOrder): void {
    const ready = this.#prepared.take(order.agent, order.source) ?? this.#threads.takeSpare();
    if (ready !== undefined) return this.#seat(instance, this.#ownThread(ready), moduleUrl, order);
    void this.#threads.inTurn(() => {
      if (this.#stopped || !this.#instances.has(instance)) return undefined;
      try {
        const worker = this.#threads.create(this.#limits.heapMbMax);
        this.#seat(instance, this.#ownThread(worker), moduleUrl, order);
        return worker;
      } catch (error) {
        this.#instances.failSoon(instance, `it cannot be started: ${thrownText(error)}`);
        return undefined;
      }
    });
  }

  #seat(instance: Instance, thread: AgentThread, moduleUrl: string, order: StartOrder): void {
    const { agent, agentType: type, epoch, state, more, told, change } = order;
    const seat = thread.take(agent, this.#eventsOf(instance, thread.isShared));
    instance.place = { thread, seat };
    this.#init.seated?.(agent, epoch, thread.id);
    const newerUrl = change?.newer && this.#modules.urlOf(change.newer.source);
    const versions = change && { from: change.from, to: change.to, newerUrl };
    const context = { agent: told?.agent ?? agent, type, epoch: told?.epoch ?? epoch };
    thread.start(seat, { moduleUrl, context, state, change: versions }, more);
  }

  run(agent: string, epoch: number, task: string, payload: Uint8Array, how: RunOptions = {}): void {
    const instance = this.#instances.queue(agent, epoch, { task, payload, ...how });
    if (instance !== undefined) this.#runNext(instance);
  }

  recall(agent: string, epoch: number): void {
    this.#instances.recall(agent, epoch);
  }

  cancel(agent: string, epoch: number, task: string): void {
    const instance = this.#instances.get(agent, epoch);
    if (instance === undefined || this.#instances.cancelWaiting(instance, task)) return;
    instance.place?.thread.cancel(instance.place.seat, task);
  }

  /** An agent that shares finds a thread when it comes. */
  prepare({ agent, source, isolation, migration }: Parameters<Runner['prepare']>[0]): void {
    if (this.#stopped) return;
    const { prepared } = this.#init.events;
    if (isolation === 'type' && !this.#apart.has(agent)) {
      setImmediate(() => prepared(agent, migration, ''));
      return;
    }
    try {
      this.#prepared.prepare(agent, migration, source, this.#modules.urlOf(source));
    } catch (error) {
      setImmediate(() => prepared(agent, migration, `it cannot be started: ${thrownText(error)}`));
    }
  }

  release(agent: string, migration: number): void {
    this.#prepared.release(agent, migration);
  }

  stop(agent: string, epoch: number): void {
    this.#instances.stop(agent, epoch);
  }

  renew(agent: string, from: number, epoch: number): void {
    const place = this.#instances.renew(agent, from, epoch)?.place;
    place?.thread.renew(place.seat, epoch);
  }

  async stopAll(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#measureTimer);
    this.#instances.stopAll();
    this.#prepared.releaseAll();
    for (const thread of this.#running) thread.end();
    await this.#threads.endAll();
  }

  // ---- an instance ----

  #eventsOf(instance: Instance, shares: boolean): SeatEvents {
    const { agent } = instance;
    const { events, log, afterAhead = setImmediate, afterRan = atOnce } = this.#init;
    return {
      ahead: (bytes, more) => {
        events.ahead(agent, instance.epoch, bytes);
        afterAhead(more);
      },
      started: (state) => {
        instance.started = true;
        events.started(agent, instance.epoch, state);
        this.#runNext(instance);
        if (!shares) this.#threads.keepSpares();
      },
      ran: (task, ok, value, change, outputs) => {
        events.ran(agent, instance.epoch, task, ok, value, change, outputs);
        const next = (): void => {
          instance.running = undefined;
          this.#runNext(instance);
        };
        afterRan(next, instance.waiting.length > 0);
      },
      progress: (task, value) => events.progress(agent, instance.epoch, task, value),
      printed: (line) => log?.(agent, line),
      broke: () => this.#keepApart(agent),
      failed: (reason, innocent) => this.#instances.fail(instance, reason, innocent),
    };
  }

  #runNext(instance: Instance): void {
    const next = this.#instances.next(instance);
    if (next === undefined || instance.place === undefined) return;
    const { thread, seat } = instance.place;
    thread.run(seat, next);
    if (next.isCancelled === true) thread.cancel(seat, next.task);
  }

  #keepApart(agent: string): void {
    this.#apart.add(agent);
    for (const oldest of this.#apart) {
      if (this.#apart.size <= apartMax) break;
      this.#apart.delete(oldest);
    }
  }

  // ---- threads ----

  #ownThread(worker: Worker): AgentThread {
    const { heapMbMax, externalMbMax } = this.#limits;
    return this.#open(worker, 1, heapMbMax, externalMbMax, () => {});
  }

  #sharedThread(common: string): AgentThread {
    const threads = this.#shared.get(common) ?? new Set();
    for (const thread of threads) if (!thread.isFull) return thread;
    const { seatsMax, sharedMbMax } = this.#limits;
    const worker = this.#threads.create(sharedMbMax);
    const thread = this.#open(worker, seatsMax, sharedMbMax, sharedMbMax, () => {
      threads.delete(thread);
      if (threads.size === 0) this.#shared.delete(common);
    });
    this.#shared.set(common, threads.add(thread));
    return thread;
  }

  #open(worker: Worker, seatsMax: number, heapMbMax: number, externalMbMax: number, ended: () => void): AgentThread {
    const thread = new AgentThread({
      worker,
      seatsMax,
      limits: { ...this.#limits, heapMbMax, externalMbMax },
      end: (worker) => {
        this.#running.delete(thread);
        ended();
        this.#threads.end(worker);
      },
    });
    this.#running.add(thread);
    return thread;
  }

  /** What no thread accounts for is known of the process alone, and laid to whoever is at work and holds most. */
  #measureAll(): void {
    const threads = [...this.#running];
    const mayHaveMb = threads.reduce((sum, { mbMax }) => sum + mbMax, this.#limits.residentMarginMb);
    if (process.memoryUsage.rss() <= mayHaveMb * mb) return;
    const [largest] = threads.sort((a, b) => Number(b.isBusy) - Number(a.isBusy) || b.heldMb - a.heldMb);
    largest?.breakFor(`its process needs more than the ${mayHaveMb} MB of memory that all agents in it have together`);
  }

  #measureNowAndThen(): void {
    if (this.#measureTimer !== undefined) return;
    this.#measureTimer = setInterval(() => {
      this.#measureTurn = (this.#measureTurn + 1) % measureRestTurns;
      for (const thread of this.#running) if (thread.isBusy || this.#measureTurn === 0) void thread.measure();
      this.#measureAll();
    }, measureIntervalMs);
    this.#measureTimer.unref();
  }
}
