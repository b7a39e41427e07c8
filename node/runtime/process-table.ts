import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What all processes of one session use together. */
export interface Usage {
  residentBytes: number;
  cpuMs: number;
}

interface Stat {
  session: number;
  cpuTicks: number;
  started: string;
  residentPages: number;
}

/** Both as Linux has them on every machine that Node runs on, except pages on some of 64-bit ARM: then limits are wider. */
const msPerTick = 10;
const pageBytes = 4_096;
const pidPattern = /^[1-9][0-9]*$/;

function parseStat(text: string): Stat {
  // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const number = (at: number): number => Number(fields[at]);
  // Fields 6, 14 to 17, 22 and 24 of proc(5); with its children that have ended.
  const cpuTicks = number(11) + number(12) + number(13) + number(14);
  return { session: number(3), cpuTicks, started: fields[19] ?? '', residentPages: number(21) };
}

/** What each session of the machine uses; nothing where there is no /proc. */
export async function usageBySession(): Promise<Map<number, Usage>> {
  const usage = new Map<number, Usage>();
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => pidPattern.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)));
  for (const text of stats) {
    if (text === undefined) continue;
    const { session, cpuTicks, residentPages } = parseStat(text);
    const { residentBytes = 0, cpuMs = 0 } = usage.get(session) ?? {};
    usage.set(session, {
      residentBytes: residentBytes + residentPages * pageBytes,
      cpuMs: cpuMs + cpuTicks * msPerTick,
    });
  }
  return usage;
}

function statOf(pid: number): Stat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Signals a process group that leads a session; where it is gone already, nothing. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // All of it has ended.
  }
}

/** Kills every process of a session, those that left its first process group among them. */
export function killSession(leader: number): void {
  signalGroup(leader, 'SIGKILL');
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => pidPattern.test(name));
  } catch {
    return;
  }
  for (const pid of pids.map(Number)) {
    if (statOf(pid)?.session !== leader) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** A pid is used again, one with its start time in this boot is not. */
function identityOf(pid: number): string | undefined {
  const stat = statOf(pid);
  if (stat === undefined) return undefined;
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${stat.started}`;
  } catch {
    return undefined;
  }
}

/**
 * The processes that this node started, one file each, so that the next start of the node can end what a killed one
 * left behind. A file says which process had the pid.
 */
export class ProcessTable {
  readonly #directory: string;

  /** Makes the directory and ends what an earlier start left running. Throws what the file system throws. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) {
      if (!pidPattern.test(name)) continue;
      const pid = Number(name);
      const identity = identityOf(pid);
      if (identity !== undefined && identity === readFileSync(join(directory, name), 'utf8')) killSession(pid);
      this.remove(pid);
    }
  }

  /** Throws what the file system throws. */
  add(pid: number): void {
    const identity = identityOf(pid);
    if (identity !== undefined) writeFileSync(join(this.#directory, String(pid)), identity, { mode: 0o600 });
  }

  remove(pid: number): void {
    rmSync(join(this.#directory, String(pid)), { force: true });
  }
}
