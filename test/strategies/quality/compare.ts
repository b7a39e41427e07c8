import { fullnessWith } from '../../../strategies/least-loaded.ts';
import type { Need } from '../../../strategies/need.ts';
import { placeBatch } from '../../../strategies/planner/batch.ts';
import type { Planner } from '../../../strategies/planner/planner.ts';
import { planRebalance, rebalanceRules } from '../../../strategies/planner/rebalance.ts';
import { fewestMoves, leastFullest, mostPlaced } from './optimum.ts';
import { asksOf, grownProblem, type Problem, plannerFor, randomProblem } from './problem.ts';

export interface Placed {
  seed: string;
  nodes: number;
  agents: number;
  unplaced: number;
  unplacedBest: number | undefined;
  fullest: number;
  fullestBest: number | undefined;
  /** What no placement can be better than. */
  bound: number;
}

const nothing: Need = { agentType: '', capabilities: [] };

const fullestOf = (planner: Planner): number =>
  Math.max(...planner.candidates().map((candidate) => fullnessWith(candidate, nothing, 0)));

export const tolerance = 1.05;

export const isGood = ({ unplaced, unplacedBest = 0, fullest, fullestBest = 0 }: Placed): boolean =>
  unplaced <= tolerance * unplacedBest && fullest <= tolerance * fullestBest;

/** Whether the solver came so far that it can be said. */
export const isKnown = (placed: Placed): boolean => {
  const { unplaced, unplacedBest, fullestBest } = placed;
  if (unplacedBest === undefined) return false;
  return fullestBest !== undefined || unplaced > tolerance * unplacedBest;
};

/** What the planner comes to beside the best there is; undefined: what the solver did not find in its time. */
export function comparePlacement(seed: string): Placed {
  const problem: Problem = randomProblem(seed);
  const planner = plannerFor(problem);
  const asks = asksOf(problem);
  const placed = asks.length - placeBatch(planner, asks).length;
  const unplaced = asks.length - placed;
  // Nobody can do better than to place all of them, or than a bound: then there is nothing to solve.
  const most = unplaced === 0 ? asks.length : mostPlaced(problem);
  const fullest = fullestOf(planner);
  const bound = leastFullest(problem, placed, true) ?? 0;
  const best = fullest <= bound * tolerance ? bound : leastFullest(problem, placed, false);
  return {
    seed,
    nodes: problem.nodes.length,
    agents: asks.length,
    unplaced,
    unplacedBest: most && asks.length - Math.round(most),
    fullest,
    fullestBest: best,
    bound,
  };
}

export interface Moved {
  seed: string;
  moves: number;
  movesBest: number | undefined;
  /** How far the node that is furthest from the mean is from it, as a share of the mean. */
  apart: number;
}

/** What a rebalance after new nodes have come takes, beside the fewest moves that make the nodes as even. */
export function compareRebalance(seed: string): Moved {
  const problem = grownProblem(seed);
  const planner = plannerFor({ ...problem, nodes: problem.nodes.slice(0, problem.old) });
  for (const ask of asksOf(problem)) planner.place(ask);
  for (const node of problem.nodes.slice(problem.old)) planner.setNode(node);
  const now = problem.kinds.map(({ need }) =>
    planner.candidates().map(({ byType }) => byType?.get(need.agentType) ?? 0),
  );
  const kinds = problem.kinds.map((kind, k) => ({ ...kind, count: (now[k] ?? []).reduce((a, b) => a + b, 0) }));
  const { moves, after } = planRebalance(planner, () => ({ costS: 0 }));
  const apart = Math.max(after.most - after.mean, after.mean - after.least) / after.mean;
  const movesBest = fewestMoves({ ...problem, kinds }, now, rebalanceRules.stopAt);
  return { seed, moves: moves.length, movesBest, apart };
}
