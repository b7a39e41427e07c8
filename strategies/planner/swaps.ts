import type { Amounts, Candidate } from '../candidate.ts';
import { whyInfeasible } from '../feasibility.ts';
import { fullnessWith } from '../least-loaded.ts';
import type { Need } from '../need.ts';
import type { Ask, Planner } from './planner.ts';

/** How much less full the fuller of two nodes must be for a swap. */
const gainMin = 1e-6;

const nothing: Need = { agentType: '', capabilities: [] };

/** What comes less what goes, as one need. */
function difference(comes: Amounts = {}, goes: Amounts = {}): Need {
  const resources: Record<string, number> = { ...comes };
  for (const [name, amount] of Object.entries(goes)) resources[name] = (resources[name] ?? 0) - amount;
  return { ...nothing, resources };
}

/**
 * Two agents that take each other's places so that the fuller of their nodes is less full: what moving one of them cannot
 * do where one node is short of memory and the other of processor. `movable` are the agents of a node that may go, one
 * of all that are alike. Returns how many swaps were made, in at most so many tries.
 */
export function swapBetween(planner: Planner, movable: (candidate: Candidate) => Ask[], triesMax: number): number {
  let swaps = 0;
  let tries = 0;
  const candidates = planner.candidates();
  for (const one of candidates) {
    for (const other of candidates) {
      if (one.node === other.node) continue;
      tries += 1;
      if (tries >= triesMax) return swaps;
      for (const mine of movable(one)) {
        for (const theirs of movable(other)) {
          tries += 1;
          // Each pair is seen from both sides; who may have left meanwhile is asked for again.
          if (planner.nodeOf(mine.agent) !== one.node || planner.nodeOf(theirs.agent) !== other.node) continue;
          if (swap(planner, [one, mine], [other, theirs])) swaps += 1;
        }
      }
    }
  }
  return swaps;
}

type Side = readonly [candidate: Candidate, ask: Ask];

function swap(planner: Planner, [one, mine]: Side, [other, theirs]: Side): boolean {
  const before = Math.max(fullnessWith(one, nothing, 0), fullnessWith(other, nothing, 0));
  // An agent more than there will be is counted, so this is rather too full.
  const after = Math.max(
    fullnessWith(one, difference(theirs.need.resources, mine.need.resources), 1),
    fullnessWith(other, difference(mine.need.resources, theirs.need.resources), 1),
  );
  if (after >= before - gainMin) return false;
  planner.release(mine.agent);
  planner.release(theirs.agent);
  const fits = whyInfeasible(one, theirs.need) === undefined && whyInfeasible(other, mine.need) === undefined;
  planner.reserve(mine.agent, fits ? other.node : one.node, mine.need);
  planner.reserve(theirs.agent, fits ? one.node : other.node, theirs.need);
  return fits;
}
