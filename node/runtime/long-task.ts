import type { TaskTimes } from './runner-instances.ts';
import type { Doing } from './seat.ts';
import type { ThreadBoard } from './thread-board.ts';

/** Of a task that has longer than others it is seen on the way whether its thread takes what it is told: the time to the next look, ms. */
export const nextLookMs = ({ withinMs }: Doing, leftMs: number, { taskTimeoutMs }: TaskTimes): number =>
  withinMs > taskTimeoutMs ? Math.min(leftMs, taskTimeoutMs) : leftMs;

/** Whether the thread took nothing of what it was told since the last look; asks it again by `ping`. */
export function isBlocked(doing: Doing, board: ThreadBoard, { taskTimeoutMs }: TaskTimes, ping: () => void): boolean {
  const { task, watchedMs, withinMs, isLate } = doing;
  if (task === undefined || withinMs <= taskTimeoutMs || isLate) return false;
  const nowMs = board.nowMs();
  if (watchedMs !== undefined && board.heardMs < watchedMs) return nowMs - watchedMs >= taskTimeoutMs;
  doing.watchedMs = nowMs;
  ping();
  return false;
}

/** Whether it is to be asked to give up, at a deadline that is later than the time of others. Once; it has a grace then. */
export function isToGiveUp(doing: Doing, nowMs: number, { taskTimeoutMs, taskGraceMs }: TaskTimes): boolean {
  if (doing.task === undefined || doing.isLate || doing.withinMs <= taskTimeoutMs) return false;
  doing.isLate = true;
  doing.otherwise += ` within ${doing.withinMs} ms, its deadline, nor, when it was asked to give up,`;
  doing.toldMs = nowMs;
  doing.withinMs = taskGraceMs;
  return true;
}
