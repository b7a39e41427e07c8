import type { Worker } from 'node:worker_threads';

/** Node has it from 24.6 on. */
interface MeasuredWorker extends Pick<Worker, 'performance'> {
  cpuUsage?(): Promise<NodeJS.CpuUsage>;
}

/**
 * Processor time that a thread has used, ms, also of one that is too busy to answer. Where Node does not tell: how long the
 * thread's loop was not idle. Rejects when it has ended.
 */
export async function processorTimeMs(worker: MeasuredWorker): Promise<number> {
  if (worker.cpuUsage === undefined) return worker.performance.eventLoopUtilization().active;
  const { user, system } = await worker.cpuUsage();
  return (user + system) / 1_000;
}
