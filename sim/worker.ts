import { parentPort } from 'node:worker_threads';
import { type Done, type Job, type Progress, perform } from './job.ts';

/** What a worker says: how far it is, and then what came of the job, or that the program failed. */
export type FromWorker =
  | { type: 'progress'; progress: Progress }
  | { type: 'done'; done: Done }
  | { type: 'failed'; message: string };

/** Takes jobs from the main thread, one at a time. */
export function serve(): void {
  const port = parentPort;
  if (port === null) throw new Error('a worker of the simulator was started as a program of its own');
  const say = (message: FromWorker): void => port.postMessage(message);
  port.on('message', (job: Job) => {
    perform(job, (progress) => say({ type: 'progress', progress })).then(
      (done) => say({ type: 'done', done }),
      (error: unknown) =>
        say({ type: 'failed', message: error instanceof Error ? String(error.stack) : String(error) }),
    );
  });
}
