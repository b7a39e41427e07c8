// `node test/strategies/quality/run.ts [problems]`: as the test does, for as many problems as wanted, and tells of each.
import { comparePlacement, compareRebalance, isGood, isKnown, tolerance } from './compare.ts';

const count = Number(process.argv[2] ?? 100);
const seeds = Array.from({ length: count }, (_, i) => `problem ${i}`);
const placed = seeds.map((seed) => {
  const result = comparePlacement(seed);
  const { nodes, agents, unplaced, unplacedBest, fullest, fullestBest, bound } = result;
  const verdict = isKnown(result) ? (isGood(result) ? 'good' : 'worse') : 'unsolved';
  const numbers = [fullest, fullestBest, bound].map((each) => each?.toFixed(3) ?? '?').join(' / ');
  const left = `${unplaced} / ${unplacedBest ?? '?'}`;
  console.log(`${seed}: ${verdict}; ${agents} agents on ${nodes} nodes; unplaced ${left}; fullest ${numbers}`);
  return result;
});
const solved = placed.filter(isKnown);
const good = solved.filter(isGood);
const fromBound = placed.filter(({ bound }) => bound > 0).map(({ fullest, bound }) => fullest / bound - 1);
console.log(
  `placements: ${good.length} of ${solved.length} within ${(100 * (tolerance - 1)).toFixed(0)} % of the optimum, ` +
    `${count - solved.length} not solved; furthest from what nothing can be better than: ${(100 * Math.max(...fromBound)).toFixed(1)} %`,
);
const moved = seeds.map(compareRebalance).filter(({ movesBest }) => movesBest !== undefined);
const worst = Math.max(...moved.map(({ moves, movesBest = 1 }) => moves / Math.max(1, movesBest)));
console.log(`rebalances: ${moved.length} solved, at most ${worst.toFixed(2)} times the fewest moves`);
