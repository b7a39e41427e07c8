import type { Worker } from 'node:worker_threads';
import type { AgentThreads } from './agent-threads.ts';
import type { RunnerEvents } from './ports.ts';
import type { FromWorker, ToWorker } from './worker.ts';

interface Prepared {
  migration: number;
  source: string;
  worker: Worker;
  timer: NodeJS.Timeout;
  isLoaded: boolean;
  /** Takes the listeners off, one by one: a thread without any by a single stroke is never heard again. */
  leave(): void;
}

/** Threads that have booted and loaded their agent's module, for agents that are to move here. */
export class PreparedThreads {
  readonly #threads: AgentThreads;
  readonly #tell: RunnerEvents['prepared'];
  readonly #timeoutMs: number;
  readonly #byAgent = new Map<string, Prepared>();

  constructor(threads: AgentThreads, tell: RunnerEvents['prepared'], timeoutMs: number) {
    this.#threads = threads;
    this.#tell = tell;
    this.#timeoutMs = timeoutMs;
  }

  /** Ends in `prepared`. Throws what the system throws when it has no more threads. */
  prepare(agent: string, migration: number, source: string, moduleUrl: string): void {
    this.#drop(agent);
    const worker = this.#threads.take();
    const end = (reason: string): void => {
      if (this.#byAgent.get(agent)?.worker !== worker) return;
      this.#drop(agent);
      this.#tell(agent, migration, reason);
    };
    const timer = setTimeout(() => end(`its code was not loaded within ${this.#timeoutMs} ms`), this.#timeoutMs);
    timer.unref();
    const onMessage = (said: FromWorker): void => {
      const reason = said?.type === 'loaded' ? String(said.reason) : 'its code said something before it was asked';
      if (reason !== '') return end(reason);
      clearTimeout(timer);
      const prepared = this.#byAgent.get(agent);
      if (prepared?.worker !== worker || prepared.isLoaded) return;
      prepared.isLoaded = true;
      this.#tell(agent, migration, '');
    };
    const onError = (error: unknown): void => end(`its code cannot be loaded: ${String(error)}`);
    const onExit = (code: number): void => end(`its thread ended with code ${code}`);
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    const leave = (): void => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    };
    this.#byAgent.set(agent, { migration, source, worker, timer, isLoaded: false, leave });
    worker.postMessage({ type: 'load', moduleUrl } satisfies ToWorker);
  }

  /** The thread that was made ready for an agent of that code, if there is one, without listeners. */
  take(agent: string, source: string): Worker | undefined {
    const prepared = this.#byAgent.get(agent);
    if (prepared?.source !== source || !prepared.isLoaded) return undefined;
    this.#byAgent.delete(agent);
    clearTimeout(prepared.timer);
    prepared.leave();
    return prepared.worker;
  }

  /** Nobody will take it. */
  release(agent: string, migration: number): void {
    if (this.#byAgent.get(agent)?.migration === migration) this.#drop(agent);
  }

  releaseAll(): void {
    for (const agent of [...this.#byAgent.keys()]) this.#drop(agent);
  }

  #drop(agent: string): void {
    const prepared = this.#byAgent.get(agent);
    if (prepared === undefined) return;
    this.#byAgent.delete(agent);
    clearTimeout(prepared.timer);
    this.#threads.end(prepared.worker);
  }
}
