import type { RecordedEvent } from './recording.ts';

/** Decisions that a reader of a run wants to know; the others are on the report page. */
const told: ReadonlySet<string> = new Set([
  'clusterFounded',
  'leaderElected',
  'memberJoined',
  'memberDead',
  'memberLeft',
  'votersChanged',
  'agentPlaced',
  'agentPending',
  'agentDeleted',
  'drainBegun',
  'drainUndone',
  'drainOverdue',
  'drainDone',
  'joinRefused',
]);

const linesMax = 400;

const signs: Record<RecordedEvent['kind'], string> = {
  phase: '══',
  fault: '✗',
  mend: '+',
  report: '·',
  request: '»',
  acknowledged: '✓',
  violation: '‼',
};

/** A run told in lines: phases, what was done to the cluster, and what it decided. Long runs are told at their ends. */
export function story(events: readonly RecordedEvent[]): string[] {
  const lines = events.filter(isTold).map(lineOf);
  if (lines.length <= linesMax) return lines;
  const half = linesMax / 2;
  return [...lines.slice(0, half), `   … ${lines.length - linesMax} more …`, ...lines.slice(-half)];
}

function isTold({ kind, details }: RecordedEvent): boolean {
  if (kind === 'acknowledged' || kind === 'request') return false;
  return kind !== 'report' || told.has(String(details?.['kind']));
}

function lineOf({ kind, atMs, node, text }: RecordedEvent): string {
  const seconds = (atMs / 1_000).toFixed(3).padStart(9);
  const where = kind === 'report' || node === undefined ? '' : `${node}: `;
  return kind === 'phase'
    ? `${seconds} ${signs[kind]} ${text} ${signs[kind]}`
    : `${seconds}  ${signs[kind]} ${where}${text}`;
}
