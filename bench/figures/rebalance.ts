import type { Planner } from '../../strategies/planner/planner.ts';
import { type MoveCost, planRebalance } from '../../strategies/planner/rebalance.ts';
import type { Figure } from '../figure.ts';
import { askOf, nodeProfile, plannerOf } from '../placing.ts';
import { rounded } from '../sample.ts';

const oldNodes = 4_000;
const newNodes = 1_000;
const agents = 100_000;
const repetitions = 5;
/** What a move costs, s: no two agents the same for long. */
const costS = (i: number): number => (i % 37) / 10;

function grownPlanner(): Planner {
  const planner = plannerOf(oldNodes);
  for (let i = 0; i < agents; i++) planner.place({ ...askOf(i), strategy: 'least_loaded' });
  for (let i = oldNodes; i < oldNodes + newNodes; i++) planner.setNode(nodeProfile(i));
  return planner;
}

/** The plan after 4,000 nodes with 100,000 agents of 24 kinds have gained 1,000 empty ones. */
export const rebalance: Figure = {
  name: 'rebalance_plan_s',
  unit: 's',
  measure(bench) {
    const costs = new Map<string, MoveCost>();
    for (let i = 0; i < agents; i++) costs.set(askOf(i).agent, { costS: costS(i) });
    const values: number[] = [];
    let floor = 0;
    let extra = {};
    for (let i = 0; i < repetitions; i++) {
      const planner = grownPlanner();
      const start = performance.now();
      const startCpu = process.threadCpuUsage();
      const { moves, before, after, end } = planRebalance(planner, (agent) => costs.get(agent) ?? { costS: 0 });
      const { user, system } = process.threadCpuUsage(startCpu);
      values.push((performance.now() - start) / 1_000);
      bench.say(`${i + 1} of ${repetitions}: ${(values.at(-1) as number).toFixed(2)} s, ${moves.length} moves`);
      const back = performance.now();
      for (const { agent, from } of moves) {
        const need = planner.needOf(agent);
        planner.release(agent);
        if (need !== undefined) planner.reserve(agent, from, need);
      }
      floor = (performance.now() - back) / 1_000;
      const spread = { most_before: rounded(before.most), most_after: rounded(after.most), mean: rounded(after.mean) };
      extra = {
        cpu_s: rounded((user + system) / 1e6),
        moves: moves.length,
        end,
        ...spread,
        least: rounded(after.least),
      };
    }
    return Promise.resolve({ values, floor, extra });
  },
};
