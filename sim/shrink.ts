import type { Plan, Strike } from './plan.ts';

export interface ShrinkLimits {
  /** Runs at most. */
  runsMax: number;
  /** Whether there is time for one more run. */
  mayGoOn(): boolean;
}

export interface Shrunk {
  plan: Plan;
  runs: number;
}

type Candidate = (plan: Plan) => Plan | undefined;

/**
 * Looks for a smaller plan that still fails: fewer faults (delta debugging, Zeller and Hildebrandt 2002), fewer nodes,
 * agents and clients, shorter, and nothing else out of the ordinary. `fails` runs a plan and says whether the same promise is
 * broken.
 */
export function shrink(plan: Plan, fails: (plan: Plan) => boolean, limits: ShrinkLimits): Shrunk {
  const shrinker = new Shrinker(plan, fails, limits);
  shrinker.run();
  return { plan: shrinker.best, runs: shrinker.runs };
}

class Shrinker {
  best: Plan;
  runs = 0;
  readonly #fails: (plan: Plan) => boolean;
  readonly #limits: ShrinkLimits;

  constructor(plan: Plan, fails: (plan: Plan) => boolean, limits: ShrinkLimits) {
    this.best = plan;
    this.#fails = fails;
    this.#limits = limits;
  }

  get #hasTime(): boolean {
    return this.runs < this.#limits.runsMax && this.#limits.mayGoOn();
  }

  run(): void {
    for (let before: Plan | undefined; before !== this.best && this.#hasTime; ) {
      before = this.best;
      this.#dropStrikes();
      for (const candidate of simpler) this.#try(candidate(this.best));
    }
  }

  #try(candidate: Plan | undefined): boolean {
    if (candidate === undefined || !this.#hasTime) return false;
    this.runs += 1;
    if (!this.#fails(candidate)) return false;
    this.best = candidate;
    return true;
  }

  /** Leaves out halves, quarters, … of the faults, and then single ones. */
  #dropStrikes(): void {
    let size = Math.ceil(this.best.strikes.length / 2);
    while (size >= 1 && this.#hasTime) {
      for (let at = 0; at < this.best.strikes.length && this.#hasTime; ) {
        const strikes = without(this.best.strikes, at, size);
        if (!this.#try({ ...this.best, strikes })) at += size;
      }
      if (size === 1) return;
      size = Math.ceil(size / 2);
    }
  }
}

const without = (strikes: readonly Strike[], at: number, size: number): Strike[] => [
  ...strikes.slice(0, at),
  ...strikes.slice(at + size),
];

/** Ways to make a plan simpler in one respect; undefined where it is as simple as that already. */
const simpler: readonly Candidate[] = [
  (plan) => (plan.nodes > 3 ? { ...plan, nodes: 3 } : undefined),
  (plan) => (plan.nodes > 3 ? { ...plan, nodes: plan.nodes - 1 } : undefined),
  (plan) => {
    const lastMs = Math.max(0, ...plan.strikes.map(({ atMs }) => atMs)) + 1_000;
    return lastMs < plan.faultsMs ? { ...plan, faultsMs: lastMs } : undefined;
  },
  (plan) => {
    const faultsMs = Math.floor(plan.faultsMs / 2);
    return { ...plan, faultsMs, strikes: plan.strikes.filter(({ atMs }) => atMs < faultsMs) };
  },
  ...(['lossChance', 'strayChance', 'reorderChance', 'latencyMsMax'] as const).map(
    (setting): Candidate =>
      (plan) => {
        const { [setting]: value, ...network } = plan.network;
        return value === undefined || value === 0 ? undefined : { ...plan, network };
      },
  ),
  (plan) => (plan.clockDriftMax > 0 ? { ...plan, clockDriftMax: 0 } : undefined),
  (plan) => (Object.keys(plan.disk).length > 0 ? { ...plan, disk: {} } : undefined),
  (plan) => (plan.startSpreadMs > 0 ? { ...plan, startSpreadMs: 0 } : undefined),
  (plan) => (plan.faultsFromStart ? { ...plan, faultsFromStart: false } : undefined),
  (plan) => fewer(plan, 'agents', 1),
  (plan) => fewer(plan, 'agents', Math.floor((plan.workload.agents ?? 1) / 2)),
  (plan) => fewer(plan, 'clients', 1),
  (plan) => fewer(plan, 'clients', Math.floor((plan.workload.clients ?? 1) / 2)),
];

function fewer(plan: Plan, what: 'agents' | 'clients', count: number): Plan | undefined {
  const present = plan.workload[what] ?? 1;
  return count >= 1 && count < present ? { ...plan, workload: { ...plan.workload, [what]: count } } : undefined;
}
