import { Worker } from 'node:worker_threads';

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
  readonly #ending = new Set<Promise<unknown>>();
  #ended = false;

  constructor(workerUrl: URL, limits: AgentThreadsLimits) {
    this.#workerUrl = workerUrl;
    this.#limits = limits;
  }

  /** A thread without listeners, booted or about to. Throws what the system throws when it has no more threads. */
  take(): Worker {
    for (const spare of this.#spares) {
      this.#spares.delete(spare);
      spare.removeAllListeners();
      spare.ref();
      return spare;
    }
    return this.create(this.#limits.heapMbMax);
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

  /** Fills the reserve, one after the other: agents that start at the same time need the processor more. */
  keepSpares(): void {
    if (this.#ended || this.#spares.size >= this.#limits.sparesMax) return;
    let spare: Worker;
    try {
      spare = this.create(this.#limits.heapMbMax);
    } catch {
      // Without a reserve the next start is slower, no more.
      return;
    }
    spare.unref();
    spare.once('error', () => this.#spares.delete(spare));
    spare.once('exit', () => this.#spares.delete(spare));
    spare.once('online', () => this.keepSpares());
    this.#spares.add(spare);
  }

  /** Ends a thread, whatever it is doing; nothing more is heard of it. */
  end(worker: Worker): void {
    worker.removeAllListeners();
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
