import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Resident memory of a process in 10^6 bytes, from VmRSS of proc(5). Linux only. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmRSS: the process has ended`);
  return (Number(kilobytes) * 1_024) / 1e6;
}

/** A node and the process of its agents, by their ids. Linux only; elsewhere the node alone. */
export function familyOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return [pid, ...children.split(' ').filter(Boolean).map(Number)];
  } catch {
    return [pid];
  }
}

/** Resident memory of a node with the process of its agents. */
export async function familyMb(pid: number): Promise<number> {
  const each = await Promise.all(familyOf(pid).map(residentMb));
  return each.reduce((sum, mb) => sum + mb, 0);
}
