import type { Worker } from 'node:worker_threads';
import type { ToWorker } from './worker.ts';

/** What is said to a thread within one turn of the node's goes as one message: to wake it is most of what one costs. */
export class ThreadPost {
  readonly #worker: Worker;
  #said: ToWorker[] = [];
  #transferred: ArrayBuffer[] = [];
  #isClosed = false;

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  say(message: ToWorker, transferred: readonly ArrayBuffer[] = []): void {
    this.#transferred.push(...transferred);
    if (this.#said.push(message) === 1) queueMicrotask(() => this.#post());
  }

  /** Nothing more is said. */
  close(): void {
    this.#isClosed = true;
  }

  #post(): void {
    const [said, transferred] = [this.#said, this.#transferred];
    [this.#said, this.#transferred] = [[], []];
    if (!this.#isClosed) this.#worker.postMessage(said, transferred);
  }
}
