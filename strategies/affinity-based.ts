import { presence, targetText } from './affinity.ts';
import type { Candidate } from './candidate.ts';
import { fullnessAfter } from './least-loaded.ts';
import type { Affinity, Need } from './need.ts';
import { scoreMax, scoreOf } from './score.ts';
import type { Strategy } from './strategy.ts';

/** Starting where its state is counts as an affinity of this weight. */
const stateWeight = 25;
/** What the sites count beside the nodes, of 1. */
const siteShare = 0.2;

/** How well a node meets an affinity, 0 to 1: the more of it, the better or the worse. */
function metShare(candidate: Candidate, affinity: Affinity): number {
  const count = presence(candidate, affinity);
  return affinity.weight > 0 ? count / (1 + count) : 1 / (1 + count);
}

const preferred = ({ affinities = [] }: Need): Affinity[] => affinities.filter(({ required }) => required !== true);

function liking(candidate: Candidate, { affinities }: Need): number {
  let all = stateWeight;
  let met = candidate.holdsState ? stateWeight : 0;
  for (const affinity of affinities ?? []) {
    if (affinity.required === true) continue;
    const weight = Math.abs(affinity.weight);
    all += weight;
    met += weight * metShare(candidate, affinity);
  }
  return met / all;
}

/**
 * The node that is nearest to what the agent wants to be with and furthest from what not, on the site with the fewest of
 * its type where they are to be spread; then where its state is, then the emptiest.
 */
export const affinityBased: Strategy = {
  name: 'affinity_based',
  score: (candidate, need) =>
    Math.floor((1 - siteShare) * scoreOf(liking(candidate, need), 1 - fullnessAfter(candidate, need))),
  siteScore: ({ count, least, most }) =>
    Math.floor((siteShare * scoreMax * Math.max(0, Math.min(most - count, most - least))) / Math.max(1, most - least)),
  why(candidate, need, { site }) {
    const parts = preferred(need)
      .filter((affinity) => presence(candidate, affinity) > 0)
      .map((affinity) => `${affinity.weight > 0 ? 'near' : 'not away from'} ${targetText(affinity)}`);
    if (candidate.holdsState) parts.push('has its state');
    if (need.spread !== undefined) parts.push(`${site.count} of its type on site ${candidate.site}`);
    return parts.join(', ') || 'near nothing that it asks for';
  },
};
