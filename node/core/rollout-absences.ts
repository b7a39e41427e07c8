import type { AgentRecord, ClusterState, TypeRecord } from './cluster-state.ts';
import type { Context } from './context.ts';
import { isAway } from './rollout-apply.ts';

/** What the leader knows of agents that do not answer. */
export interface AwayReasons {
  /** Too many of its holders are missing. */
  isStuck(agent: AgentRecord): boolean;
  whyGivenUp(agent: AgentRecord): string | undefined;
}

/**
 * Agents that a rollout waits for and that do not answer, by the clock of this leader. A rollout does not stay open for them:
 * whoever looks after agents that cannot be recovered, or fail again and again, does so in whatever version they have.
 */
export class RolloutAbsences {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #reasons: AwayReasons;
  readonly #sinceMs = new Map<string, number>();
  /** By type, the rollout that was seen last, and whether it goes back. */
  readonly #followed = new Map<string, string>();

  constructor(context: Context, state: ClusterState, reasons: AwayReasons) {
    this.#context = context;
    this.#state = state;
    this.#reasons = reasons;
  }

  reset(): void {
    this.#sinceMs.clear();
    this.#followed.clear();
  }

  /** Who has been away for however long is waited for anew once the rollout goes back. */
  follow({ type, rollout }: TypeRecord, agents: readonly AgentRecord[]): void {
    const now = `${rollout?.since} ${rollout?.phase}`;
    if (this.#followed.get(type) === now) return;
    this.#followed.set(type, now);
    for (const { id } of agents) this.#sinceMs.delete(id);
  }

  /** Notes which of those that are waited for do not answer. */
  look(waitedFor: ReadonlySet<AgentRecord>): void {
    const away = new Set<string>();
    for (const agent of waitedFor) {
      if (!isAway(this.#state, agent)) continue;
      away.add(agent.id);
      if (!this.#sinceMs.has(agent.id)) this.#sinceMs.set(agent.id, this.#context.nowMs);
    }
    for (const id of this.#sinceMs.keys()) if (!away.has(id)) this.#sinceMs.delete(id);
  }

  /** Why a rollout is to go on without an agent; undefined while it still waits. */
  whyLeft(agent: AgentRecord): string | undefined {
    const { nowMs, settings } = this.#context;
    const sinceMs = this.#sinceMs.get(agent.id);
    if (sinceMs === undefined || nowMs - sinceMs < settings.rolloutPatienceMs) return undefined;
    if (this.#reasons.isStuck(agent)) return 'most of its holders are missing';
    const failing = agent.crashLoop?.reason ?? this.#reasons.whyGivenUp(agent);
    return failing === undefined ? `it does not answer: ${agent.reason}` : `it fails again and again: ${failing}`;
  }
}
