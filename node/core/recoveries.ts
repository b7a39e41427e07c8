import type { Context } from './context.ts';

interface UnderWay {
  epoch: number;
  /** When this leader first saw that it is not active yet. */
  sinceMs: number;
  withinMs: number;
  isLate: boolean;
}

/** However large a state is, and however slow the way to it. */
const withinMsMax = 3_600_000;

/** Which placements have not become active in time. One after a late one has twice as long: a large state may need it. */
export class Recoveries {
  readonly #context: Context;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether the agent's placement of this epoch, which is not active, is to be decided anew. */
  isLate(agent: string, epoch: number): boolean {
    const { nowMs, settings } = this.#context;
    const known = this.#underWay.get(agent);
    if (known?.epoch === epoch) {
      known.isLate = nowMs - known.sinceMs >= known.withinMs;
      return known.isLate;
    }
    const withinMs = known?.isLate ? Math.min(2 * known.withinMs, withinMsMax) : settings.recoveryTimeoutMs;
    this.#underWay.set(agent, { epoch, sinceMs: nowMs, withinMs, isLate: false });
    return false;
  }

  /** The agent is active. */
  end(agent: string): void {
    this.#underWay.delete(agent);
  }

  /** Forgets those that are deleted. */
  keep(agents: ReadonlyMap<string, unknown>): void {
    for (const agent of this.#underWay.keys()) if (!agents.has(agent)) this.#underWay.delete(agent);
  }

  reset(): void {
    this.#underWay.clear();
  }
}
