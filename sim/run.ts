import { Violation } from './checkers/checker.ts';
import { ScenarioMistake, WorldFailure } from './failure.ts';
import { drawPlan, type Plan, type Wishes } from './plan.ts';
import { Simulation } from './simulation.ts';
import type { World } from './world.ts';

export interface Broken {
  /** The checker that found it; `crash` when the program threw instead of breaking a promise. */
  checker: string;
  /** What was promised and what was seen instead. */
  what: string;
  /** Virtual time, ms. */
  atMs: number;
  crash: boolean;
  /** The last things that the nodes concerned saw and did, oldest first, by node; `world`: what was done to them. */
  lastEvents: Record<string, string[]>;
  /** Of a crash: where it was thrown. */
  stack?: string;
}

/** What a run came to. */
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
    if (error instanceof ScenarioMistake) throw error;
    violation = brokenBy(error, simulation.world);
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
      undecided: simulation.linearizable.undecided.length,
    },
    ...(violation && { violation }),
  };
}

/** An ordinary run of a swarm. */
export function runSeed(seed: string, wishes: Wishes = {}): Verdict {
  return runPlan(drawPlan(seed, wishes));
}

/** What broke a run: a promise, or the program itself. */
export function brokenBy(error: unknown, world: World): Broken {
  const failure = error instanceof WorldFailure ? error : world.failure(String(error), error);
  const cause = failure.cause ?? error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const what = cause instanceof Violation ? message.slice(cause.checker.length + ': '.length) : message;
  const common = { atMs: Math.round(world.nowMs), lastEvents: lastEventsOf(world, what) };
  if (cause instanceof Violation) return { checker: cause.checker, what, crash: false, ...common };
  const stack = cause instanceof Error ? cause.stack : undefined;
  return { checker: 'crash', what, crash: true, ...common, ...(stack !== undefined && { stack }) };
}

/** The nodes that the violation names, or all when it names none. */
function lastEventsOf(world: World, what: string): Record<string, string[]> {
  const named = world.nodes.filter((node) => new RegExp(`\\b${node}\\b`).test(what));
  const concerned = named.length > 0 ? named.slice(0, nodesShownMax) : world.nodes.slice(0, nodesShownMax);
  return Object.fromEntries(['world', ...concerned].map((who) => [who, world.trace.last(who, linesShown)]));
}

const nodesShownMax = 6;
const linesShown = 25;
