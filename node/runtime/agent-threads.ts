import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Turns } from './turns.ts';

/**
 * Of a thread's heap: the space for new objects. At its limit a heap gets 16 MB more, in which the thread has to end, and a
 * single collection can need as much as a third of this. Where that was not enough, as with the 48 MB that Node has by
 * itself, the whole process ended.
 */
const youngMbMax = 12;

export interface AgentThreadsLimits {
  /** A thread's heap; beyond it the thread ends, and only it. */
  heapMbMax: number;
  /** Threads that have booted and wait for a module. */
  sparesMax: number;
}

/**
 * The threads that agents run in. A start is nearly all booting of the thread (some 40 ms of 43), so once the first
 * agent has started a few are kept in reserve, and a recovery finds one that has booted.
 */
export class AgentThreads {
  readonly #workerUrl: URL;
  readonly #limits: AgentThreadsLimits;
  readonly #spares = new Set<Worker>();
  /** Boots at the same time: dozens of them, after the death of a host, would keep the node itself from answering. */
  readonly #turns = new Turns(Math.max(1, availableParallelism() - 1));
  readonly #booting = new Set<Worker>();
  #sparesToCome = 0;
  readonly #ending = new Set<Promise<unknown>>();
  #ended = false;

  constructor(workerUrl: URL, limits: AgentThreadsLimits) {
    this.#workerUrl = workerUrl;
    this.#limits = limits;
  }

  /** A thread without listeners, booted or about to. Throws what the system throws when it has no more threads. */
  take(): Worker {
    return this.takeSpare() ?? this.create(this.#limits.heapMbMax);
  }

  /** One of the reserve. */
  takeSpare(): Worker | undefined {
    for (const spare of this.#spares) {
      this.#spares.delete(spare);
      this.#letGo(spare);
      spare.ref();
      return spare;
    }
    return undefined;
  }

  /** Has a thread made when few others boot, in the order of asking. `make` must not throw; it may think better of it. */
  async inTurn(make: () => Worker | undefined): Promise<void> {
    await this.#turns.take();
    const worker = make();
    if (worker === undefined) return this.#turns.give();
    this.#booting.add(worker);
    for (const event of ['online', 'error', 'exit']) worker.once(event, () => this.#hasBooted(worker));
  }

  #hasBooted(worker: Worker): void {
    if (this.#booting.delete(worker)) this.#turns.give();
  }

  /** Takes all listeners off, that for the end of its boot among them. */
  #letGo(worker: Worker): void {
    worker.removeAllListeners();
    this.#hasBooted(worker);
  }

  /** A new thread with a heap of its own size. Throws what the system throws when it has no more threads. */
  create(heapMbMax: number): Worker {
    // No environment, no arguments: nothing of the node's secrets reaches an agent by accident.
    return new Worker(this.#workerUrl, {
      env: {},
      argv: [],
      execArgv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: heapMbMax, maxYoungGenerationSizeMb: youngMbMax },
    });
  }

  /** Fills the reserve, behind the agents that wait for a thread. */
  keepSpares(): void {
    if (this.#ended || this.#spares.size + this.#sparesToCome >= this.#limits.sparesMax) return;
    this.#sparesToCome += 1;
    void this.inTurn(() => {
      this.#sparesToCome -= 1;
      return this.#makeSpare();
    });
  }

  #makeSpare(): Worker | undefined {
    if (this.#ended) return undefined;
    let spare: Worker;
    try {
      spare = this.create(this.#limits.heapMbMax);
    } catch {
      // Without a reserve the next start is slower, no more.
      return undefined;
    }
    spare.unref();
    spare.once('error', () => this.#spares.delete(spare));
    spare.once('exit', () => this.#spares.delete(spare));
    spare.once('online', () => this.keepSpares());
    this.#spares.add(spare);
    return spare;
  }

  /** Ends a thread, whatever it is doing; nothing more is heard of it. */
  end(worker: Worker): void {
    this.#letGo(worker);
    // A thread that is being ended may still throw, and without a listener that would end the node.
    worker.on('error', () => {});
    const ended = worker.terminate().catch(() => {});
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
  }

  /** Ends the reserve, and resolves when every thread that was told to end has ended. */
  async endAll(): Promise<void> {
    this.#ended = true;
    for (const spare of this.#spares) this.end(spare);
    this.#spares.clear();
    await Promise.all(this.#ending);
  }
}
