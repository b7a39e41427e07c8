import { readFileSync } from 'node:fs';

/** The unit of these counters on Linux (sysconf(_SC_CLK_TCK)). */
const ticksPerS = 100;

/** User and system time that a process has used so far, s: fields 14 and 15 of proc(5). 0 where there is no /proc. */
export function cpuSeconds(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return 0;
  }
  // The name before it may have spaces in it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerS;
}
