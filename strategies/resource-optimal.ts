import { type Candidate, shareAfter } from './candidate.ts';
import type { Need } from './need.ts';
import { scoreOf } from './score.ts';
import type { Strategy } from './strategy.ts';

/** What an even use of all resources counts beside a full one. */
const evenWeight = 0.25;

/** How full the node would be on average, and how far apart its fullest and its emptiest resource; both 0 to 1. */
function useAfter(
  { agents, agentsMax, capacity, used }: Candidate,
  { resources }: Need,
): { full: number; apart: number } {
  const first = (agents + 1) / Math.max(1, agentsMax);
  let [least, most, sum, count] = [1, 0, 0, 0];
  for (const resource in capacity) {
    const share = shareAfter(capacity[resource] ?? 0, used?.[resource] ?? 0, resources?.[resource] ?? 0);
    least = Math.min(least, share);
    most = Math.max(most, share);
    sum += share;
    count += 1;
  }
  return count === 0 ? { full: first, apart: 0 } : { full: sum / count, apart: Math.max(0, most - least) };
}

/**
 * The node that is fullest with the agent and uses its resources most evenly: large agents find whole nodes later, and
 * no memory is left over where there is no processor. Nodes without resources are filled by their number of agents.
 */
export const resourceOptimal: Strategy = {
  name: 'resource_optimal',
  score(candidate, need) {
    const { full, apart } = useAfter(candidate, need);
    return scoreOf(
      (1 - evenWeight) * full + evenWeight * (1 - apart),
      candidate.agents / Math.max(1, candidate.agentsMax),
    );
  },
  why(candidate, need) {
    const { full, apart } = useAfter(candidate, need);
    const uneven = apart > 0 ? `, resources ${Math.round(100 * apart)} % apart` : '';
    return `${Math.round(100 * full)} % full with it${uneven}`;
  },
};
