import { byNode, type Candidate } from './candidate.ts';
import { filtersFor, whyInfeasible } from './feasibility.ts';
import { type Mix, nodeTotal, siteTotal, turnTotal, whyTotal } from './mix.ts';
import type { PlacementRequest } from './need.ts';
import { reasonText } from './reason.ts';
import { shownScore } from './score.ts';
import { SiteSpread } from './site-spread.ts';
import type { Decision, Rejected } from './strategy.ts';

/** How many turns come before that of the node in this place. */
export const turnsUntilPlace = (place: number, turn: number, feasible: number): number =>
  (place - (turn % feasible) + feasible) % feasible;

/**
 * Filters, scores, ranks, and takes the first, looking at every node: what an index must come to as well. Every
 * candidate ends in exactly one of the two lists, each of them ordered, so that the order on the way in changes nothing;
 * equal scores are ordered by node id.
 */
export function choose(mix: Mix, request: PlacementRequest, candidates: readonly Candidate[]): Decision {
  const rejected: Rejected[] = [];
  const reject = ({ node, name }: Candidate, reason: string): number => rejected.push({ node, name, reason });
  const sorted = [...candidates].sort(byNode);
  const among = filtersFor(request);
  const fixed = among.filter((filter) => filter.fixed);
  const eligible = sorted.filter((candidate) => whyInfeasible(candidate, request, fixed) === undefined);
  const sites = SiteSpread.of(sorted, eligible, request);
  const feasible = sorted.filter((candidate) => {
    const reason = whyInfeasible(candidate, request, among) ?? sites.whyNot(candidate.site, request);
    if (reason !== undefined) reject(candidate, reasonText(reason));
    return reason === undefined;
  });
  const ranked = feasible.map((candidate, place) => {
    const site = sites.standing(candidate.site);
    const turnsUntil = turnsUntilPlace(place, request.turn, feasible.length);
    const ofSite = request.spread === undefined ? 0 : siteTotal(mix, site);
    const score = nodeTotal(mix, candidate, request) + ofSite + turnTotal(mix, turnsUntil, feasible.length);
    const why = whyTotal(mix, candidate, request, { turnsUntil, feasible: feasible.length, site });
    return { node: candidate.node, name: candidate.name, score, why };
  });
  ranked.sort((a, b) => b.score - a.score || byNode(a, b));
  const shown = ranked.map((each) => ({ ...each, score: shownScore(each.score) }));
  return { strategy: mix.name, node: ranked[0]?.node, ranked: shown, rejected };
}
