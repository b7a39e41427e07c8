import type { Strategy } from './strategy.ts';

/** Every node in its turn, in the order of node ids. */
export const roundRobin: Strategy = {
  name: 'round_robin',
  score(candidate, { turn }, feasible) {
    const place = feasible.indexOf(candidate);
    const distance = (place - (turn % feasible.length) + feasible.length) % feasible.length;
    const why = distance === 0 ? 'its turn' : `its turn comes in ${distance}`;
    return { score: feasible.length - distance, why };
  },
};
