import { drawConsensusPlan } from './consensus/plan.ts';
import { runConsensusPlan } from './consensus/run.ts';
import { drawPlan, type Plan } from './plan.ts';
import { runPlan, runSeed, type Verdict } from './run.ts';
import { Simulation } from './simulation.ts';
import { Timeline } from './timeline.ts';

/** What a stretch of simulation took. */
export interface Speed {
  virtualMs: number;
  realMs: number;
  steps: number;
  /** Tasks or commands that were acknowledged. */
  acknowledged: number;
}

/** Of every kind of fault one in so many of those that strike at its highest rate: work gets done between them. */
const strikesKept = 12;

/** Consensus alone: five nodes under load, nothing goes wrong. */
export function consensusSpeed(seed: string): Speed {
  const workload = { clients: 4, thinkMsMin: 100, thinkMsMax: 700 };
  const plan = drawConsensusPlan(seed, { nodes: 5, minutes: 5, faults: [], workload });
  return timed(() => ran(runConsensusPlan(plan)));
}

/** The whole system: five nodes, twenty agents with a task every other second each, every kind of fault, all checkers. */
export function clusterSpeed(seed: string): Speed {
  const workload = { agents: 20, clients: 20, thinkMsMin: 1_200, thinkMsMax: 2_800, holders: 3, ttlMs: 3_000 };
  const drawn = drawPlan(seed, { nodes: 5, minutes: 2, everything: true, workload });
  // As a cluster runs by default: how small a log is kept would change what is measured.
  const plan: Plan = {
    ...drawn,
    settings: {},
    agentsMax: 100,
    strikes: drawn.strikes.filter((_, i) => i % strikesKept === 0),
  };
  return timed(() => ran(runPlan(plan)));
}

/** The whole system at rest but for its tasks: 100 nodes, 1,000 agents, all of them active. */
export function cluster100Speed(seed: string): Speed {
  const workload = { agents: 1_000, clients: 50, thinkMsMin: 600, thinkMsMax: 1_400, holders: 3 };
  const drawn = drawPlan(seed, { nodes: 100, minutes: 1, faults: [], workload });
  const simulation = new Simulation({ ...drawn, agentsMax: 100, startSpreadMs: 1_000, faultsFromStart: false });
  simulation.begin();
  const { world, oracle } = simulation;
  const before = { steps: world.trace.count, acknowledged: oracle.acknowledgedCount() };
  return timed(() => {
    world.runFor(calmMs);
    return {
      virtualMs: calmMs,
      steps: world.trace.count - before.steps,
      acknowledged: oracle.acknowledgedCount() - before.acknowledged,
    };
  });
}

const calmMs = 10_000;

/** Ordinary seeds of a swarm, one after the other for so long. */
export function seedsSpeed(first: number, forMs: number): Speed {
  return timed(() => {
    const untilMs = performance.now() + forMs;
    const sum = { virtualMs: 0, steps: 0, acknowledged: 0 };
    for (let seed = first; performance.now() < untilMs; seed++) {
      const { virtualMs, steps, acknowledged } = ran(runSeed(String(seed)));
      sum.virtualMs += virtualMs;
      sum.steps += steps;
      sum.acknowledged += acknowledged;
    }
    return sum;
  });
}

/** The floor: as many events that do nothing, planned and taken one by one as those of a world are. */
export function emptySpeed(steps: number): Speed {
  return timed(() => {
    const timeline = new Timeline();
    const plannedMax = 200;
    let left = steps;
    const again = (): void => {
      if (left-- > 0) timeline.after(1, again);
    };
    for (let i = 0; i < plannedMax; i++) again();
    while (timeline.step()) continue;
    return { virtualMs: 0, steps, acknowledged: 0 };
  });
}

function ran({ seed, ok, virtualMs, steps, counts, violation }: Verdict): Omit<Speed, 'realMs'> {
  if (!ok) throw new Error(`seed ${seed} broke a promise: ${violation?.checker}: ${violation?.what}`);
  return { virtualMs, steps, acknowledged: counts['acknowledged'] ?? 0 };
}

function timed(run: () => Omit<Speed, 'realMs'>): Speed {
  const startMs = performance.now();
  return { ...run(), realMs: performance.now() - startMs };
}
