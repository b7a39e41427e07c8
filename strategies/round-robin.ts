import { scoreMax } from './score.ts';
import type { Strategy } from './strategy.ts';

/** Every feasible node in its turn, in the order of node ids, whatever is on it already. */
export const roundRobin: Strategy = {
  name: 'round_robin',
  turnScore: (turnsUntil, feasible) => Math.floor((scoreMax / feasible) * (feasible - turnsUntil)),
  why: (_candidate, _need, { turnsUntil }) => (turnsUntil === 0 ? 'its turn' : `its turn comes in ${turnsUntil}`),
};
