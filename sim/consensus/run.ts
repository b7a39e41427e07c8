import type { Plan, Wishes } from '../plan.ts';
import { type Broken, brokenBy, type Verdict } from '../run.ts';
import { drawConsensusPlan } from './plan.ts';
import { ConsensusSimulation } from './simulation.ts';

/** Runs a plan with consensus alone, to its end or to the first broken promise. */
export function runConsensusPlan(plan: Plan, simulation = new ConsensusSimulation(plan)): Verdict {
  const { world, commands, leaders, director } = simulation;
  let violation: Broken | undefined;
  try {
    simulation.run();
  } catch (error) {
    violation = brokenBy(error, world);
  }
  return {
    seed: plan.seed,
    ok: violation === undefined,
    hash: world.trace.hash(),
    steps: world.trace.count,
    virtualMs: Math.round(world.nowMs),
    counts: {
      acknowledged: commands.acknowledgedCount,
      terms: leaders.terms,
      faults: director.counts.values().reduce((sum, count) => sum + count, 0),
      decisions: commands.length,
    },
    ...(violation && { violation }),
  };
}

/** An ordinary run of consensus alone. */
export function runConsensusSeed(seed: string, wishes: Wishes = {}): Verdict {
  return runConsensusPlan(drawConsensusPlan(seed, wishes));
}
