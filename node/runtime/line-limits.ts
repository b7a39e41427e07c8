import type { TaskTimes } from './runner-instances.ts';

/** Of an agent's run, whatever it runs in. */
export interface LineLimits extends TaskTimes {
  startTimeoutMs: number;
  /** How often an instance at rest is asked whether it still answers, and how long it has for that. */
  pingIntervalMs: number;
  pingTimeoutMs: number;
  tasksWaitingMax: number;
  /** Bytes of a line that an agent says: a state and a result in it. */
  lineBytesMax: number;
  /** Characters of a line that an agent prints on its error stream. */
  lineLengthMax: number;
  linesPerSMax: number;
}

export const defaultLineLimits: LineLimits = {
  startTimeoutMs: 15_000,
  taskTimeoutMs: 30_000,
  taskGraceMs: 5_000,
  pingIntervalMs: 5_000,
  pingTimeoutMs: 5_000,
  tasksWaitingMax: 256,
  lineBytesMax: 4 * 1024 * 1024,
  lineLengthMax: 2_000,
  linesPerSMax: 100,
};
