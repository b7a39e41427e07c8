import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../figure.ts';
import { familyOf } from '../resident.ts';
import { cpuSeconds } from './cpu-time.ts';
import type { LoadOrder, LoadResult } from './order.ts';

const program = fileURLToPath(new URL('./generate.ts', import.meta.url));
/** A few of many clients may meet an election; more means that something else was measured. */
const failureShareMax = 0.01;

export interface Loaded extends LoadResult {
  perSecond: number;
  /** User and system time of the nodes for one operation, µs. */
  cpuUsEach: number;
  /** Of the same, how many cores' worth was used. */
  cores: number;
}

/** Runs a generator to its end, and says what it did and what the nodes of these process ids used meanwhile. */
export async function load(bench: Bench, order: LoadOrder, pids: readonly number[]): Promise<Loaded> {
  const child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = (): boolean => child.kill('SIGKILL');
  bench.signal.addEventListener('abort', stop);
  const usedOf = (): number => pids.flatMap(familyOf).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  let before = 0;
  let used = 0;
  let result: LoadResult | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'begin') before = usedOf();
    else if (line === 'end') used = usedOf() - before;
    else result = JSON.parse(line) as LoadResult;
  }
  bench.signal.removeEventListener('abort', stop);
  bench.signal.throwIfAborted();
  if (result === undefined) throw new Error(`the load on ${order.system} ended without a result`);
  const { operations, failures, seconds } = result;
  if (failures > operations * failureShareMax || operations === 0) {
    throw new Error(`${order.system} refused ${failures} of ${operations + failures} ${order.operation}s`);
  }
  return { ...result, perSecond: operations / seconds, cpuUsEach: (used * 1e6) / operations, cores: used / seconds };
}
