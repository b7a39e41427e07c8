import { readFile } from 'node:fs/promises';

/** Resident memory of a process in 10^6 bytes, from VmRSS of proc(5). Linux only. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmRSS: the process has ended`);
  return (Number(kilobytes) * 1_024) / 1e6;
}
