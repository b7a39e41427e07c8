import type { Recording } from '../recording.ts';

const stretchShare = 0.04;
const stretchMsMin = 1_000;
const stretchMsMax = 10_000;
/** Of the stretch, how much lies after the violation: enough that its mark does not stick to the edge. */
const afterShare = 0.12;

/** What to look at first in a run that broke a promise. */
export function stretchBefore(violationMs: number, durationMs: number): { fromMs: number; toMs: number } {
  const stretchMs = Math.min(stretchMsMax, Math.max(stretchMsMin, durationMs * stretchShare));
  return { fromMs: violationMs - stretchMs * (1 - afterShare), toMs: violationMs + stretchMs * afterShare };
}

/** When a promise was broken; the end of the run where that was not recorded as an event. */
export function violationMsOf({ verdict, events, durationMs }: Recording): number | undefined {
  const broken = events.find(({ kind }) => kind === 'violation');
  return broken?.atMs ?? (verdict.ok ? undefined : durationMs);
}
