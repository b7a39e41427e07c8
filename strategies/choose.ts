import { whyInfeasible } from './feasibility.ts';
import type { Candidate, Decision, PlacementRequest, Ranked, Rejected, Strategy } from './strategy.ts';

const byNode = (a: { node: string }, b: { node: string }): number => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0);

/** Feasible → score → choose. Every candidate ends in exactly one list, and their order on the way in changes nothing. */
export function choose(
  strategy: Strategy,
  request: PlacementRequest,
  candidates: readonly Candidate[],
): Decision {
  const feasible: Candidate[] = [];
  const rejected: Rejected[] = [];
  for (const candidate of [...candidates].sort(byNode)) {
    const reason = whyInfeasible(candidate, request);
    if (reason === undefined) feasible.push(candidate);
    else rejected.push({ node: candidate.node, name: candidate.name, reason });
  }
  const ranked: Ranked[] = feasible.map((candidate) => {
    const { score, why } = strategy.score(candidate, request, feasible);
    return { node: candidate.node, name: candidate.name, score, why };
  });
  ranked.sort((a, b) => b.score - a.score || byNode(a, b));
  return { strategy: strategy.name, node: ranked[0]?.node, ranked, rejected };
}
