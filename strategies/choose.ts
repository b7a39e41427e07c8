import { whyInfeasible } from './feasibility.ts';
import type { Candidate, Decision, PlacementRequest, Ranked, Rejected, Strategy } from './strategy.ts';

/** By code unit, not by locale: every node must come to the same order. */
const byNode = (a: { node: string }, b: { node: string }): number => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0);

/**
 * Filters, scores, ranks, and takes the first. Every candidate ends in exactly one of the two lists, each of them
 * ordered, so that the order on the way in changes nothing; equal scores are ordered by node id.
 */
export function choose(strategy: Strategy, request: PlacementRequest, candidates: readonly Candidate[]): Decision {
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
