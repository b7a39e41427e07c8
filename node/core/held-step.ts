import type { AgentHistory } from './agent-history.ts';
import type { Assignment } from './assignment.ts';
import type { Held } from './recovery.ts';

const whatRuns = [
  'agentType',
  'source',
  'interpreter',
  'isolation',
  'version',
  'created',
  'partition',
  'wentOnAt',
] as const;

/** Whether what runs for one assignment can go on for another: only the epoch and the holders differ. */
export function isSameWork(a: Assignment, b: Assignment): boolean {
  if (a.branch !== undefined || b.branch !== undefined) return false;
  return whatRuns.every((key) => a[key] === b[key]) && JSON.stringify(a.container) === JSON.stringify(b.container);
}

/** The newest step of an instance, which it took in that epoch. */
export function heldStep(epoch: number, history: AgentHistory): Held {
  const { sequence, state } = history.newest();
  const checksumAt = (at: number): number | undefined => history.checksumAt(at);
  return { epoch, sequence, state, results: history.all(), checksumAt };
}
