import { performance } from 'node:perf_hooks';
import type { Worker } from 'node:worker_threads';

/** Node has it from 24.6 on. */
interface MeasuredWorker extends Pick<Worker, 'performance'> {
  cpuUsage?(): Promise<NodeJS.CpuUsage>;
}

const sumMs = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1_000;
/** Node has it from 23.9 on. */
const { threadCpuUsage }: { threadCpuUsage?: () => NodeJS.CpuUsage } = process;
const activeMs = (measured: Pick<Worker['performance'], 'eventLoopUtilization'>): number =>
  measured.eventLoopUtilization().active;

/** Both ends of a thread must measure in one way. */
const isMeasured = threadCpuUsage !== undefined && (process.versions.node.split('.').map(Number)[0] ?? 0) >= 24;

/** Processor time that the calling thread has used, ms. Where Node does not tell: how long its loop was not idle. */
export function usedByThisThreadMs(): number {
  return isMeasured ? sumMs(threadCpuUsage.call(process)) : activeMs(performance);
}

/** The same of another thread, which may be too busy to answer. Rejects when it has ended. */
export async function usedByThreadMs(worker: MeasuredWorker): Promise<number> {
  return isMeasured && worker.cpuUsage !== undefined ? sumMs(await worker.cpuUsage()) : activeMs(worker.performance);
}
