import type { Strategy } from './strategy.ts';

/** Every feasible node in its turn, in the order of node ids, whatever is on it already. */
export const roundRobin: Strategy = {
  name: 'round_robin',
  score(candidate, { turn }, feasible) {
    const place = feasible.findIndex(({ node }) => node === candidate.node);
    const turnsUntil = (place - (turn % feasible.length) + feasible.length) % feasible.length;
    const why = turnsUntil === 0 ? 'its turn' : `its turn comes in ${turnsUntil}`;
    return { score: feasible.length - turnsUntil, why };
  },
};
