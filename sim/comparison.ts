import type { Plan } from './plan.ts';
import { Simulation } from './simulation.ts';
import type { World } from './world.ts';

/** A hash after each step would be large: every so many are kept. */
const everySteps = 64;

/** The trace's hash at regular steps: enough to find where two runs part. */
export class Footprints {
  readonly #words: number[] = [];

  /** Follows a simulation; to be called before it runs. */
  follow(world: World): void {
    world.trace.onStep = (step, hash) => {
      if (step % everySteps === 0) this.#words.push(hash | 0);
    };
  }

  /** Base64 of 32-bit words, little endian. */
  encode(): string {
    return Buffer.from(Int32Array.from(this.#words).buffer).toString('base64');
  }

  static decode(text: string): number[] {
    const bytes = Buffer.from(text, 'base64');
    return Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, i) => bytes.readInt32LE(4 * i));
  }

  /** The steps among which the first difference lies; undefined when there is none in what both have. */
  differs(expected: readonly number[]): { afterStep: number; untilStep: number } | undefined {
    const at = this.#words.findIndex((word, i) => i < expected.length && word !== expected[i]);
    return at < 0 ? undefined : { afterStep: at * everySteps, untilStep: (at + 1) * everySteps };
  }
}

export interface Difference {
  step: number;
  /** What each of the two did there; undefined when it had ended before. */
  one: string | undefined;
  other: string | undefined;
}

/**
 * Runs a plan twice and returns the first event that differs; undefined when every one is the same. `run` runs a
 * simulation to its end, whatever that is.
 */
export function firstDifference(make: () => Simulation, run: (simulation: Simulation) => void): Difference | undefined {
  const hashes: number[] = [];
  const first = make();
  first.world.trace.onStep = (_step, hash) => hashes.push(hash);
  run(first);
  let differing: number | undefined;
  const second = make();
  second.world.trace.onStep = (step, hash) => {
    if (differing === undefined && hashes[step - 1] !== hash) differing = step;
  };
  run(second);
  const steps = second.world.trace.count;
  if (differing === undefined && steps < hashes.length) differing = steps + 1;
  if (differing === undefined) return undefined;
  return { step: differing, one: lineAt(make(), run, differing), other: lineAt(make(), run, differing) };
}

class Reached extends Error {}

/** What a run does as a certain step. */
export function lineAt(
  simulation: Simulation,
  run: (simulation: Simulation) => void,
  step: number,
): string | undefined {
  let line: string | undefined;
  simulation.world.trace.onStep = (at) => {
    if (at !== step) return;
    line = simulation.world.trace.lineAt(step);
    throw new Reached();
  };
  try {
    run(simulation);
  } catch (error) {
    // The world wraps what is thrown while it takes a step.
    if (!(error instanceof Reached || (error as Error).cause instanceof Reached)) throw error;
  }
  return line;
}

/** The same, of a plan. */
export function lineOfPlan(plan: Plan, step: number): string | undefined {
  return lineAt(new Simulation(plan), (simulation) => quietly(() => simulation.run()), step);
}

/** A run that breaks a promise ends there; that is not what is compared. */
function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // Its verdict says what it was.
  }
}
