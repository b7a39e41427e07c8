import { Worker } from 'node:worker_threads';
import type { Done, Job, Progress } from './job.ts';
import type { FromWorker } from './worker.ts';

/** Threads that run simulations, so that whoever shows them stays awake. Each takes one job at a time. */
export class Pool {
  readonly #url: URL;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  /** `url`: the program that serves when it is started as a worker. */
  constructor(url: URL) {
    this.#url = url;
  }

  /** Runs a job on a thread of its own; rejects when the program fails or the pool is closed meanwhile. */
  async run(job: Job, onProgress: (progress: Progress) => void = () => {}): Promise<Done> {
    const worker = this.#idle.pop() ?? this.#start();
    try {
      const done = await this.#perform(worker, job, onProgress);
      this.#idle.push(worker);
      return done;
    } catch (error) {
      this.#all.delete(worker);
      await worker.terminate();
      throw error;
    }
  }

  /** Ends all threads, whatever they do. */
  async close(): Promise<void> {
    const all = [...this.#all];
    this.#all.clear();
    this.#idle.length = 0;
    await Promise.all(all.map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = new Worker(this.#url, { env: { TZ: 'UTC' }, workerData: workerMark, resourceLimits });
    this.#all.add(worker);
    return worker;
  }

  #perform(worker: Worker, job: Job, onProgress: (progress: Progress) => void): Promise<Done> {
    const { promise, resolve, reject } = Promise.withResolvers<Done>();
    const onMessage = (message: FromWorker): void => {
      if (message.type === 'progress') onProgress(message.progress);
      else if (message.type === 'done') resolve(message.done);
      else reject(new Error(message.message));
    };
    const onExit = (): void => reject(new PoolClosed('the simulation was ended'));
    worker.on('message', onMessage);
    worker.once('error', reject);
    worker.once('exit', onExit);
    worker.postMessage(job);
    return promise.finally(() => {
      worker.off('message', onMessage);
      worker.off('error', reject);
      worker.off('exit', onExit);
    });
  }
}

/** A world makes many small things that do not last: with a small nursery a third of the time goes to clearing it. */
const resourceLimits = { maxYoungGenerationSizeMb: 96, maxOldGenerationSizeMb: 4_096 };

/** Tells a thread of the pool from the program itself. */
export const workerMark = 'conclave-simulator';

export class PoolClosed extends Error {
  override readonly name = 'PoolClosed';
}
