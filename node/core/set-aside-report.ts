import { type Context, reportLocally } from './context.ts';
import type { TaskResult } from './message.ts';
import type { ResultTable } from './result-table.ts';

/** Tells that a task was set aside, and which ones were cancelled because there is no room for more of them. */
export function reportSetAside(
  context: Context,
  agent: string,
  said: {
    task: string;
    tries: number;
    reason: string;
    /** Those that were set aside before. */
    before: readonly TaskResult[];
    after: Pick<ResultTable, 'aside'>;
  },
): void {
  const { task, tries, reason, before, after } = said;
  const text = `task ${task} of ${agent} is set aside after ${tries} tries: ${reason}`;
  reportLocally(context, 'taskSetAside', text, { agent, task, tries, reason });
  const left = new Set(after.aside().map((each) => each.task));
  for (const displaced of before.filter((each) => !left.has(each.task))) {
    const why = displaced.aside?.reason ?? '';
    const what = `task ${displaced.task} of ${agent} was set aside and is cancelled, to make room for ${task}; it had failed: ${why}`;
    reportLocally(context, 'setAsideDisplaced', what, { agent, task: displaced.task, by: task, reason: why });
  }
}
