import type { AgentHistory } from './agent-history.ts';
import type { Assignment } from './assignment.ts';
import type { Held } from './recovery.ts';

/** Whether what runs for one assignment can go on for another: only the epoch and the holders differ. */
export function isSameWork(a: Assignment, b: Assignment): boolean {
  const codes = [a, b].map(({ agentType, source, interpreter, container, isolation, version, created, partition }) =>
    JSON.stringify([agentType, source, interpreter, container, isolation, version, created, partition]),
  );
  return codes[0] === codes[1] && a.branch === undefined && b.branch === undefined;
}

/** The newest step of an instance, which it took in that epoch. */
export function heldStep(epoch: number, history: AgentHistory): Held {
  const { sequence, state } = history.newest();
  const checksumAt = (at: number): number | undefined => history.checksumAt(at);
  return { epoch, sequence, state, results: history.all(), checksumAt };
}
