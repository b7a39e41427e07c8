import { Violation } from './checkers/checker.ts';
import { drawPlan, type Plan, type Wishes } from './plan.ts';
import { Simulation } from './simulation.ts';
import { WorldFailure } from './world.ts';

export interface Broken {
  /** The checker that found it; `crash` when the program threw instead of breaking a promise. */
  checker: string;
  /** What was promised and what was seen instead. */
  what: string;
  /** Virtual time, ms. */
  atMs: number;
  crash: boolean;
  /** With the last events of the nodes. */
  evidence: string;
}

export interface Verdict {
  seed: string;
  ok: boolean;
  /** Rolling hash of everything that happened. */
  hash: string;
  /** Things that happened. */
  steps: number;
  virtualMs: number;
  counts: Record<string, number>;
  violation?: Broken;
}

/** Runs a plan to its end, or to the first broken promise. */
export function runPlan(plan: Plan, simulation = new Simulation(plan)): Verdict {
  let violation: Broken | undefined;
  try {
    simulation.run();
  } catch (error) {
    violation = brokenBy(error, simulation);
  }
  const { world, oracle, director } = simulation;
  return {
    seed: plan.seed,
    ok: violation === undefined,
    hash: world.trace.hash(),
    steps: world.trace.count,
    virtualMs: Math.round(world.nowMs),
    counts: {
      acknowledged: oracle.acknowledgedCount(),
      terms: simulation.leaders.terms,
      faults: [...director.counts.values()].reduce((sum, count) => sum + count, 0),
      decisions: simulation.ledger.index,
    },
    ...(violation && { violation }),
  };
}

/** An ordinary run of a swarm. */
export function runSeed(seed: string, wishes: Wishes = {}): Verdict {
  return runPlan(drawPlan(seed, wishes));
}

function brokenBy(error: unknown, { world }: Simulation): Broken {
  const failure = error instanceof WorldFailure ? error : world.failure(String(error), error);
  const cause = failure.cause ?? error;
  const evidence = failure.message;
  const atMs = Math.round(world.nowMs);
  if (cause instanceof Violation) {
    return { checker: cause.checker, what: cause.message, atMs, crash: false, evidence };
  }
  const what = cause instanceof Error ? cause.message : String(cause);
  return { checker: 'crash', what, atMs, crash: true, evidence };
}
