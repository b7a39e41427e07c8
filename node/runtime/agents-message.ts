import type { VersionChange } from '../core/version-change.ts';
import type { Said } from './agents-channel.ts';
import { aheadBytes } from './ahead-bytes.ts';
import type { Runner } from './ports.ts';
import type { WorkerLimits } from './worker-runner.ts';

type StartOrder = Parameters<Runner['start']>[0];

/**
 * What the node says to the process of its agents: `open` first. A start has a number, `id`, by which it is known from then
 * on: what is told of an earlier one of the same agent is of nothing. `state` comes before the `start` whose state is large.
 */
export type ToAgents =
  | { type: 'open'; workerUrl: string; directory: string; limits: Partial<WorkerLimits> }
  /** Its bytes: parts of the state. */
  | { type: 'state'; id: number }
  /** Its bytes: the last parts of the state, or none where it starts from nothing. */
  | {
      type: 'start';
      id: number;
      order: Omit<StartOrder, 'state' | 'more'> & { change?: VersionChange | undefined };
    }
  /** Its bytes: the payload. `untilMs`: by the clock of the machine. */
  | { type: 'run'; id: number; task: string; merges: boolean; untilMs?: number | undefined }
  | { type: 'recall'; id: number }
  | { type: 'cancel'; id: number; task: string }
  | { type: 'stop'; id: number }
  | { type: 'renew'; id: number; epoch: number }
  /** A piece that came ahead has been taken in. */
  | { type: 'more' }
  | { type: 'prepare'; what: Parameters<Runner['prepare']>[0] }
  | { type: 'release'; agent: string; migration: number }
  | { type: 'ping' };

/** What it answers. */
export type FromAgents =
  /** It has a place in the thread of that number. */
  | { type: 'seated'; id: number; thread: number }
  /** Its bytes: what stands before those of what follows. */
  | { type: 'ahead'; id: number }
  /** Its bytes: the state; none: it is the one that it was started from. */
  | { type: 'started'; id: number }
  /** Its bytes: the value, then what a change inserts, then what it sends and sets, where there are such. */
  | { type: 'ran'; id: number; task: string; ok: boolean; change?: Change | undefined; leads: boolean }
  | { type: 'returned'; id: number; tasks: string[] }
  /** Its bytes: the value. */
  | { type: 'progress'; id: number; task: string }
  | { type: 'failed'; id: number; reason: string; innocent: boolean }
  | { type: 'prepared'; agent: string; migration: number; reason: string }
  | { type: 'printed'; agent: string; line: string }
  /** `cpuMs`: processor time that it has used since it began. */
  | { type: 'pong'; cpuMs: number; residentBytes: number };

/** Where what a task inserts belongs. */
export interface Change {
  previousLength: number;
  offset: number;
  removed: number;
}

const textLengthMax = 8_000;
/** Tasks that wait at one agent are fewer. */
const returnedMax = 1_024;

const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= textLengthMax;

/** Undefined for what it cannot have said: code of agents runs in there, and must not fail the node. */
export function checkedFromAgents({ head, bytes }: Said): FromAgents | undefined {
  if (typeof head !== 'object' || head === null) return undefined;
  const said = head as Record<string, unknown>;
  const { type, id, task, ok, change, leads, agent, migration, reason, line, thread, innocent } = said;
  if (type === 'pong') {
    const { cpuMs, residentBytes } = said;
    return isNumber(cpuMs) && isNumber(residentBytes) ? { type, cpuMs, residentBytes } : undefined;
  }
  if (type === 'printed') return isText(agent) && isText(line) ? { type, agent, line } : undefined;
  if (type === 'prepared') {
    return isText(agent) && isNumber(migration) && isText(reason) ? { type, agent, migration, reason } : undefined;
  }
  if (!isNumber(id)) return undefined;
  if (type === 'seated') return isNumber(thread) ? { type, id, thread } : undefined;
  if (type === 'started') return bytes.length <= 1 ? { type, id } : undefined;
  if (type === 'failed') {
    return isText(reason) && typeof innocent === 'boolean' ? { type, id, reason, innocent } : undefined;
  }
  if (type === 'returned') {
    const { tasks } = said;
    return Array.isArray(tasks) && tasks.length <= returnedMax && tasks.every(isText) ? { type, id, tasks } : undefined;
  }
  if (type === 'ahead') {
    const [piece] = bytes;
    return piece !== undefined && piece.byteLength <= aheadBytes ? { type, id } : undefined;
  }
  if (!isText(task) || bytes.length === 0) return undefined;
  if (type === 'progress') return { type, id, task };
  if (type !== 'ran' || typeof ok !== 'boolean' || typeof leads !== 'boolean') return undefined;
  const parts = 1 + (change === undefined ? 0 : 1) + (leads ? 1 : 0);
  if (bytes.length !== parts || !isChange(change)) return undefined;
  return { type, id, task, ok, change, leads };
}

/** Whether it fits the state, the node finds out. */
function isChange(said: unknown): said is Change | undefined {
  if (said === undefined) return true;
  if (typeof said !== 'object' || said === null) return false;
  const { previousLength, offset, removed } = said as Record<string, unknown>;
  return [previousLength, offset, removed].every(Number.isSafeInteger);
}
