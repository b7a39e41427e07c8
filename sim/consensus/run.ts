import { Violation } from '../checkers/checker.ts';
import { WorldFailure } from '../failure.ts';
import type { Plan, Wishes } from '../plan.ts';
import type { Broken, Verdict } from '../run.ts';
import type { World } from '../world.ts';
import { drawConsensusPlan } from './plan.ts';
import { ConsensusSimulation } from './simulation.ts';

const linesShown = 25;

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

function brokenBy(error: unknown, world: World): Broken {
  const cause = error instanceof WorldFailure ? error.cause : error;
  const what = cause instanceof Error ? cause.message : String(cause);
  const lastEvents = Object.fromEntries(
    ['world', ...world.nodes].map((who) => [who, world.trace.last(who, linesShown)]),
  );
  const common = { what, atMs: Math.round(world.nowMs), lastEvents };
  if (cause instanceof Violation) return { checker: cause.checker, crash: false, ...common };
  const stack = cause instanceof Error ? cause.stack : undefined;
  return { checker: 'crash', crash: true, ...common, ...(stack !== undefined && { stack }) };
}
