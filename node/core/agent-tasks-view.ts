import type { RunningTask } from './agent-task-events.ts';
import type { AgentTasksView } from './operation.ts';
import type { ResultTable } from './result-table.ts';
import { limits } from './settings.ts';
import type { QueuedTask } from './task-queue.ts';

export interface Viewed {
  /** What the code was given, in order. */
  given: readonly RunningTask[];
  waiting: readonly QueuedTask[];
  results: ResultTable;
  meanTaskMs: number;
}

/** What an operator sees of an agent's tasks. */
export function viewOf({ given, waiting, results, meanTaskMs }: Viewed, nowMs: number): AgentTasksView {
  const [running, ...behind] = given;
  const all = [...behind.map(({ task }) => task), ...waiting];
  return {
    running: running && { task: running.task.task, forMs: Math.round(nowMs - running.sinceMs) },
    waiting: all.length,
    first: all.slice(0, limits.tasksListedMax).map(({ task, priority, key }) => ({ task, priority, key })),
    setAside: results.aside().map(({ task, aside }) => ({
      task,
      tries: aside?.tries ?? 0,
      reason: aside?.reason ?? '',
      bytes: aside?.payload.byteLength ?? 0,
    })),
    meanTaskMs: Math.round(meanTaskMs * 100) / 100,
  };
}
