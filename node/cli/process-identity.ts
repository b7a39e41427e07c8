import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Tells one process from another that got the same pid later: pids are reused, a pid with a start time is not.
 * `started` is in clock ticks since boot on Linux (field 22 of /proc/<pid>/stat), a date elsewhere; only equality counts.
 */
export interface ProcessIdentity {
  pid: number;
  started: string;
  command: string;
}

export type ProcessState = 'running' | 'paused';

/** The process that has this pid now; `undefined` if there is none or it has ended and waits to be reaped. */
export async function lookAtProcess(pid: number): Promise<(ProcessIdentity & { state: ProcessState }) | undefined> {
  try {
    return process.platform === 'linux' ? await readProc(pid) : await askPs(pid);
  } catch {
    return undefined;
  }
}

async function readProc(pid: number) {
  const [stat, commandLine] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
  ]);
  // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = 'Z'] = fields;
  const started = fields[19];
  if (state === 'Z' || state === 'X' || started === undefined) return undefined;
  return { pid, started, command: commandLine.replaceAll('\0', ' ').trim(), state: stateOf(state) };
}

async function askPs(pid: number) {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'state=,lstart=,command=', '-p', String(pid)]);
  const match = /^(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(stdout.trim());
  if (match === null || match[1]?.startsWith('Z')) return undefined;
  return { pid, started: match[2] as string, command: match[3] as string, state: stateOf(match[1] as string) };
}

function stateOf(letter: string): ProcessState {
  return letter.startsWith('T') ? 'paused' : 'running';
}

/** Its state if exactly that process still lives. */
export async function stateOfProcess(identity: ProcessIdentity): Promise<ProcessState | undefined> {
  const now = await lookAtProcess(identity.pid);
  const same = now !== undefined && now.started === identity.started && now.command === identity.command;
  return same ? now.state : undefined;
}

/** Sends the signal if exactly that process still lives; returns whether it was sent. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if ((await stateOfProcess(identity)) === undefined) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
