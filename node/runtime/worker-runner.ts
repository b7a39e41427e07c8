import type { Worker } from 'node:worker_threads';
import { progressBytesMax, progressPerSMax } from '../core/agent-code.ts';
import type { StateChange } from '../core/state-change.ts';
import { AgentThreads, type AgentThreadsLimits } from './agent-threads.ts';
import { ModuleFiles } from './module-files.ts';
import type { Runner, RunnerEvents } from './ports.ts';
import { PrintedLines } from './printed-lines.ts';
import { RateLimit } from './rate-limit.ts';
import { newInstance, type RunnerInstance, RunnerInstances } from './runner-instances.ts';
import type { FromWorker, ToWorker } from './worker.ts';

export interface WorkerLimits extends AgentThreadsLimits {
  /** What a thread holds outside its heap, in buffers. Measured now and then: a fast grower exceeds it for a moment. */
  externalMbMax: number;
  startTimeoutMs: number;
  taskTimeoutMs: number;
  /** Tasks that wait at one instance. */
  tasksWaitingMax: number;
  /** Module files that are kept. */
  modulesMax: number;
  /** Characters of a line that an agent prints. */
  lineLengthMax: number;
  /** Lines that an agent prints within a second, on each of its two streams. */
  linesPerSMax: number;
}

export const defaultWorkerLimits: WorkerLimits = {
  heapMbMax: 128,
  externalMbMax: 128,
  startTimeoutMs: 15_000,
  taskTimeoutMs: 30_000,
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
}

interface Instance extends RunnerInstance {
  /** None when it could not be made; the instance is about to fail then. */
  worker: Worker | undefined;
  measuring: boolean;
  progressRate: RateLimit;
}

const memoryIntervalMs = 250;
/** An instance at rest is measured only every so many times. */
const memoryRestTurns = 8;
const mb = 1024 * 1024;

/** Makes a runner of `worker` agents. Throws what the file system throws when the directory cannot be made. */
export function createWorkerRunner(init: WorkerRunnerInit): Runner {
  return new WorkerRunner(init);
}

/**
 * Runs each agent in a thread of its own: a crash, a hang or a memory blow-up ends that thread and nothing else. A
 * thread keeps agents apart by accident, not by force: their code runs with the rights of the node's process.
 */
class WorkerRunner implements Runner {
  readonly #init: WorkerRunnerInit;
  readonly #limits: WorkerLimits;
  readonly #modules: ModuleFiles;
  readonly #instances: RunnerInstances<Instance>;
  readonly #threads: AgentThreads;
  #memoryTimer: NodeJS.Timeout | undefined;
  #memoryTurn = 0;
  #stopped = false;

  constructor(init: WorkerRunnerInit) {
    this.#init = init;
    this.#limits = { ...defaultWorkerLimits, ...init.limits };
    this.#modules = new ModuleFiles(init.directory, this.#limits.modulesMax);
    this.#threads = new AgentThreads(init.workerUrl, this.#limits);
    this.#instances = new RunnerInstances({
      tasksWaitingMax: this.#limits.tasksWaitingMax,
      release: ({ worker }) => worker && this.#threads.end(worker),
      failed: init.events.failed,
    });
  }

  start({ agent, agentType, epoch, source, state }: Parameters<Runner['start']>[0]): void {
    if (this.#stopped) return;
    this.stop(agent, epoch);
    const instance: Instance = {
      ...newInstance(agent, epoch),
      worker: undefined,
      measuring: false,
      // The two clocks do not tick together: some more than the thread lets through.
      progressRate: new RateLimit(2 * progressPerSMax),
    };
    this.#instances.add(instance);
    try {
      const moduleUrl = this.#modules.urlOf(source);
      instance.worker = this.#threads.take();
      this.#listen(instance, instance.worker);
      const context = { agent, type: agentType, epoch };
      this.#say(instance, { type: 'start', moduleUrl, context, state: state && ownBytes(state) });
    } catch (error) {
      this.#instances.failSoon(instance, `it cannot be started: ${reasonOf(error)}`);
      return;
    }
    this.#instances.expectWithin(instance, this.#limits.startTimeoutMs, 'it did not start');
    this.#watchMemory();
  }

  run(agent: string, epoch: number, task: string, payload: Uint8Array): void {
    const instance = this.#instances.queue(agent, epoch, task, payload);
    if (instance !== undefined) this.#runNext(instance);
  }

  cancel(agent: string, epoch: number, task: string): void {
    const instance = this.#instances.get(agent, epoch);
    if (instance?.running === task) this.#say(instance, { type: 'cancel', task });
  }

  stop(agent: string, epoch: number): void {
    this.#instances.stop(agent, epoch);
  }

  async stopAll(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#memoryTimer);
    this.#instances.stopAll();
    await this.#threads.endAll();
  }

  // ---- an instance ----

  #runNext(instance: Instance): void {
    const next = this.#instances.next(instance);
    if (next === undefined) return;
    this.#say(instance, { type: 'run', ...next });
    this.#instances.expectWithin(instance, this.#limits.taskTimeoutMs, `it did not answer task ${next.task}`);
  }

  #say(instance: Instance, message: ToWorker): void {
    instance.worker?.postMessage(message);
  }

  /** What comes from the thread is an agent's to say, so its form is checked: an agent must not fail the node. */
  #onMessage(instance: Instance, said: unknown): void {
    const { agent, epoch, started, running } = instance;
    const message = checkedMessage(said);
    if (message?.type === 'failed') {
      this.#instances.fail(instance, message.reason);
    } else if (message?.type === 'started' && !started) {
      clearTimeout(instance.timer);
      instance.started = true;
      this.#init.events.started(agent, epoch, message.state);
      this.#runNext(instance);
      this.#threads.keepSpares();
    } else if (message?.type === 'ran' && message.task === running) {
      clearTimeout(instance.timer);
      instance.running = undefined;
      this.#init.events.ran(agent, epoch, message.task, message.ok, message.value, message.change);
      this.#runNext(instance);
    } else if (message?.type === 'progress') {
      this.#onProgress(instance, message.task, message.value);
    } else {
      this.#instances.fail(instance, 'its thread said something that nobody asked for');
    }
  }

  /** The thread keeps to the limits, unless the agent made it speak. */
  #onProgress(instance: Instance, task: string, value: Uint8Array): void {
    const { agent, epoch, running, progressRate } = instance;
    const fits = task === running && value.byteLength <= progressBytesMax;
    if (fits && progressRate.passes(performance.now())) this.#init.events.progress(agent, epoch, task, value);
  }

  // ---- threads ----

  #listen(instance: Instance, worker: Worker): void {
    worker.on('message', (said: unknown) => this.#onMessage(instance, said));
    worker.on('messageerror', () => this.#instances.fail(instance, 'its thread said something that cannot be read'));
    worker.on('error', (error: unknown) => this.#instances.fail(instance, this.#whyThreadEnded(error)));
    worker.on('exit', (code) => this.#instances.fail(instance, `its thread ended with code ${code}`));
    const { log } = this.#init;
    for (const stream of [worker.stdout, worker.stderr]) {
      const lines = new PrintedLines({ ...this.#limits, write: (line) => log?.(instance.agent, line) });
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => lines.push(text, performance.now()));
      stream.once('end', () => lines.end(performance.now()));
    }
  }

  #whyThreadEnded(error: unknown): string {
    if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return `it needs more than the ${this.#limits.heapMbMax} MB of memory that an agent has`;
    }
    return `it threw outside its tasks: ${reasonOf(error)}`;
  }

  // ---- memory outside the heap, for which a thread has no limit of its own ----

  #watchMemory(): void {
    if (this.#memoryTimer !== undefined) return;
    this.#memoryTimer = setInterval(() => {
      this.#memoryTurn = (this.#memoryTurn + 1) % memoryRestTurns;
      for (const instance of this.#instances.all) {
        const busy = !instance.started || instance.running !== undefined;
        if (busy || this.#memoryTurn === 0) void this.#measure(instance);
      }
    }, memoryIntervalMs);
    this.#memoryTimer.unref();
  }

  async #measure(instance: Instance): Promise<void> {
    if (instance.measuring || instance.worker === undefined) return;
    instance.measuring = true;
    try {
      const { external_memory: externalBytes } = await instance.worker.getHeapStatistics();
      if (externalBytes <= this.#limits.externalMbMax * mb) return;
      this.#instances.fail(
        instance,
        `it needs more than the ${this.#limits.externalMbMax} MB of buffers that an agent has`,
      );
    } catch {
      // The thread has ended, which its own events tell; or this version of Node cannot measure it.
    } finally {
      instance.measuring = false;
    }
  }
}

const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;

function checkedMessage(said: unknown): FromWorker | undefined {
  if (typeof said !== 'object' || said === null) return undefined;
  const message = said as Record<string, unknown>;
  const { type, task, ok, value, state, change, reason } = message;
  if (type === 'failed' && typeof reason === 'string') return { type, reason };
  if (type === 'started' && isBytes(state)) return { type, state };
  if (type === 'progress' && typeof task === 'string' && isBytes(value)) return { type, task, value };
  if (type !== 'ran' || typeof task !== 'string' || typeof ok !== 'boolean') return undefined;
  return isBytes(value) && isChange(change) ? { type, task, ok, value, change } : undefined;
}

/** Whether it fits the state, the node finds out. */
function isChange(said: unknown): said is StateChange | undefined {
  if (said === undefined) return true;
  if (typeof said !== 'object' || said === null) return false;
  const { previousLength, offset, removed, inserted } = said as Record<string, unknown>;
  return [previousLength, offset, removed].every(Number.isSafeInteger) && isBytes(inserted);
}

/** A copy: posting a view posts the whole buffer behind it, with what else is in there. */
const ownBytes = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something that cannot be shown as text';
  }
}
