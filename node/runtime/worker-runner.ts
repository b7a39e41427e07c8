import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Runner, RunnerEvents } from './ports.ts';
import type { FromWorker, ToWorker } from './worker.ts';

export interface WorkerLimits {
  /** A thread's heap; beyond it the thread ends, and only it. */
  heapMbMax: number;
  startTimeoutMs: number;
  taskTimeoutMs: number;
  /** Threads that have booted and wait for a module. */
  sparesMax: number;
  /** Module files that are kept. */
  modulesMax: number;
  /** Characters of a line that an agent prints. */
  lineLengthMax: number;
}

export const defaultWorkerLimits: WorkerLimits = {
  heapMbMax: 128,
  startTimeoutMs: 15_000,
  taskTimeoutMs: 30_000,
  sparesMax: 1,
  modulesMax: 512,
  lineLengthMax: 2_000,
};

export interface WorkerRunnerInit {
  /** The program of the threads. */
  workerUrl: URL;
  /** Where modules are kept as files. */
  directory: string;
  events: RunnerEvents;
  limits?: Partial<WorkerLimits>;
  /** What agents print, a line at a time. */
  log?: (agent: string, line: string) => void;
}

interface Instance {
  agent: string;
  epoch: number;
  worker: Worker;
  timer: NodeJS.Timeout | undefined;
  started: boolean;
  running: string | undefined;
}

const keyOf = (agent: string, epoch: number): string => `${agent}/${epoch}`;

/** Runs each agent in a thread of its own: a crash, a hang or a memory blow-up ends that thread and nothing else. */
class WorkerRunner implements Runner {
  readonly #init: WorkerRunnerInit;
  readonly #limits: WorkerLimits;
  readonly #instances = new Map<string, Instance>();
  #spares: Worker[] = [];
  #stopped = false;

  constructor(init: WorkerRunnerInit) {
    this.#init = init;
    this.#limits = { ...defaultWorkerLimits, ...init.limits };
    mkdirSync(init.directory, { recursive: true, mode: 0o700 });
  }

  start({ agent, agentType, epoch, source, state }: Parameters<Runner['start']>[0]): void {
    if (this.#stopped) return;
    this.stop(agent, epoch);
    let moduleUrl: string;
    try {
      moduleUrl = this.#moduleUrl(source);
    } catch (error) {
      this.#init.events.failed(agent, epoch, `its code cannot be stored: ${(error as Error).message}`);
      return;
    }
    const worker = this.#spares.pop() ?? this.#createWorker();
    const instance: Instance = { agent, epoch, worker, timer: undefined, started: false, running: undefined };
    this.#instances.set(keyOf(agent, epoch), instance);
    this.#listen(instance);
    this.#say(instance, { type: 'start', moduleUrl, context: { agent, type: agentType, epoch }, state });
    this.#expectWithin(instance, this.#limits.startTimeoutMs, 'it did not start in time');
    this.#keepSpares();
  }

  run(agent: string, epoch: number, task: string, payload: Uint8Array): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance?.started !== true || instance.running !== undefined) return;
    instance.running = task;
    this.#say(instance, { type: 'run', task, payload });
    this.#expectWithin(instance, this.#limits.taskTimeoutMs, `it did not answer task ${task} in time`);
  }

  stop(agent: string, epoch: number): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance !== undefined) this.#end(instance);
  }

  async stopAll(): Promise<void> {
    this.#stopped = true;
    const workers = [...[...this.#instances.values()].map(({ worker }) => worker), ...this.#spares];
    for (const instance of this.#instances.values()) this.#end(instance);
    this.#spares = [];
    await Promise.allSettled(workers.map((worker) => worker.terminate()));
  }

  #end(instance: Instance): void {
    clearTimeout(instance.timer);
    this.#instances.delete(keyOf(instance.agent, instance.epoch));
    instance.worker.removeAllListeners();
    instance.worker.on('error', () => {});
    void instance.worker.terminate();
  }

  #fail(instance: Instance, reason: string): void {
    if (this.#instances.get(keyOf(instance.agent, instance.epoch)) !== instance) return;
    this.#end(instance);
    this.#init.events.failed(instance.agent, instance.epoch, reason);
  }

  #expectWithin(instance: Instance, withinMs: number, otherwise: string): void {
    clearTimeout(instance.timer);
    instance.timer = setTimeout(() => this.#fail(instance, `${otherwise} (${withinMs} ms)`), withinMs);
    instance.timer.unref();
  }

  // ---- threads ----

  #createWorker(): Worker {
    // No environment, no arguments: nothing of the node's secrets reaches an agent by accident.
    return new Worker(this.#init.workerUrl, {
      env: {},
      argv: [],
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.heapMbMax },
    });
  }

  /** A thread takes most of its start-up time to boot: the next recovery finds one that has. */
  #keepSpares(): void {
    if (this.#stopped || this.#spares.length >= this.#limits.sparesMax) return;
    setImmediate(() => {
      if (this.#stopped || this.#spares.length >= this.#limits.sparesMax) return;
      const spare = this.#createWorker();
      spare.unref();
      const gone = () => {
        this.#spares = this.#spares.filter((other) => other !== spare);
      };
      spare.once('error', gone);
      spare.once('exit', gone);
      this.#spares.push(spare);
    });
  }

  #listen(instance: Instance): void {
    const { worker } = instance;
    worker.removeAllListeners();
    worker.ref();
    worker.on('message', (message: FromWorker) => this.#onMessage(instance, message));
    worker.on('error', (error) => this.#fail(instance, error.message));
    worker.on('exit', (code) => this.#fail(instance, `its thread ended with code ${code}`));
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => this.#print(instance.agent, text));
    }
  }

  #print(agent: string, text: string): void {
    for (const line of text.split('\n').slice(0, 100)) {
      if (line !== '') this.#init.log?.(agent, line.slice(0, this.#limits.lineLengthMax));
    }
  }

  #say(instance: Instance, message: ToWorker): void {
    instance.worker.postMessage(message);
  }

  #onMessage(instance: Instance, message: FromWorker): void {
    const { agent, epoch } = instance;
    clearTimeout(instance.timer);
    if (message.type === 'failed') this.#fail(instance, message.reason);
    else if (message.type === 'started') {
      instance.started = true;
      this.#init.events.started(agent, epoch, message.state);
    } else if (message.task === instance.running) {
      instance.running = undefined;
      this.#init.events.ran(agent, epoch, message.task, message.ok, message.value, message.state);
    }
  }

  // ---- modules ----

  /** The module as a file of its own content's name, written once. */
  #moduleUrl(source: string): string {
    const { directory } = this.#init;
    const file = join(directory, `${createHash('sha256').update(source).digest('hex')}.mjs`);
    if (!existsSync(file)) {
      this.#makeRoom();
      writeFileSync(`${file}.new`, source, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    }
    return pathToFileURL(file).href;
  }

  #makeRoom(): void {
    const { directory } = this.#init;
    const files = readdirSync(directory).map((name) => join(directory, name));
    if (files.length < this.#limits.modulesMax) return;
    const oldest = files.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
    for (const file of oldest.slice(0, files.length - this.#limits.modulesMax + 1)) unlinkSync(file);
  }
}

/** Makes a runner of `worker` agents. */
export function createWorkerRunner(init: WorkerRunnerInit): Runner {
  return new WorkerRunner(init);
}
