import { type Candidate, shareAfter } from './candidate.ts';
import type { Need } from './need.ts';
import { scoreOf } from './score.ts';
import type { Strategy } from './strategy.ts';

/** A load that nobody has renewed for so long says nothing, ms. */
export const loadTrustedMs = 60_000;
/** What the fullest of a node's resources counts; the rest is what all of them are on average. */
const fullestWeight = 0.75;

/**
 * How busy the processor is, cores: as gossiped, and the agents that came after the measurement as busy as those before.
 * Else every decision until the next measurement would take the node that was idle at the last one.
 */
export function busyCores({ cpu, agents, measured }: Candidate): number {
  const busy = Number.isFinite(cpu) ? Math.max(cpu, 0) : 0;
  if (measured === undefined) return busy;
  if (measured.ageMs > loadTrustedMs) return 0;
  const newer = Math.max(0, agents - measured.agents);
  return busy + (newer * busy) / Math.max(1, measured.agents);
}

/**
 * How full the node would be, 0 to 1, with one more agent of the need, or one less: mostly what its fullest resource
 * is, so that no need is left out, and a little what all of them are.
 */
export function fullnessWith(
  { agents, agentsMax, capacity, used }: Candidate,
  { resources }: Need,
  more: number,
): number {
  let fullest = (agents + more) / (agentsMax > 1 ? agentsMax : 1);
  let sum = fullest;
  let count = 1;
  for (const resource in capacity) {
    const amount = more * (resources?.[resource] ?? 0);
    const share = shareAfter(capacity[resource] ?? 0, used?.[resource] ?? 0, amount);
    if (share > fullest) fullest = share;
    sum += share;
    count += 1;
  }
  return fullestWeight * fullest + (1 - fullestWeight) * (sum / count);
}

export const fullnessAfter = (candidate: Candidate, need: Need): number => fullnessWith(candidate, need, 1);

/**
 * The node that is emptiest by what the log has reserved; among equals the one whose processor is least busy. The log
 * knows the agents exactly, and the load is hearsay that lags: the other order would send every agent of a deployment
 * to one idle node.
 */
export const leastLoaded: Strategy = {
  name: 'least_loaded',
  score: (candidate, need) => scoreOf(1 - fullnessAfter(candidate, need), 1 / (1 + busyCores(candidate))),
  why(candidate, need) {
    const { agents, capacity } = candidate;
    const reserved = Object.keys(capacity ?? {}).length > 0;
    const full = reserved ? `, ${Math.round(100 * fullnessAfter(candidate, need))} % full with it` : '';
    return `${agents} ${agents === 1 ? 'agent' : 'agents'}${full}, cpu ${busyCores(candidate).toFixed(2)}`;
  },
};
