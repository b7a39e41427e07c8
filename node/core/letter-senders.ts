import type { ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Instance } from './instance.ts';
import { agentsIn } from './letter-id.ts';

/** Steps that an agent takes at a time to let senders go. */
const forgottenAtOnce = 8;

/**
 * Lets the agents here forget whose letters nobody sends any more: those of agents that were deleted, once every copy that
 * may be on its way is too old to be done.
 */
export class LetterSenders {
  readonly #context: Context;
  readonly #state: Pick<ClusterState, 'agents' | 'index'>;
  /** Since when each sender is gone, as far as this node knows. */
  #goneMs = new Map<string, number>();
  #lookMs = 0;

  constructor(context: Context, state: Pick<ClusterState, 'agents' | 'index'>) {
    this.#context = context;
    this.#state = state;
  }

  tick(instances: readonly Pick<Instance, 'isActive' | 'letters'>[]): void {
    const { nowMs, settings } = this.#context;
    if (nowMs < this.#lookMs) return;
    this.#lookMs = nowMs + settings.sendersGoneMs / 8;
    const before = this.#goneMs;
    this.#goneMs = new Map();
    for (const { isActive, letters } of instances) {
      if (!isActive) continue;
      let forgotten = 0;
      for (const sender of letters.senders()) {
        if (!this.#isGone(sender)) continue;
        const sinceMs = before.get(sender) ?? nowMs;
        this.#goneMs.set(sender, sinceMs);
        if (nowMs - sinceMs < settings.sendersGoneMs || forgotten === forgottenAtOnce) continue;
        forgotten += 1;
        letters.forget(sender);
      }
    }
  }

  /** By the log, as far as it is known here; one that this node has not heard of yet is not. */
  #isGone(sender: string): boolean {
    const { agents, created } = agentsIn(sender);
    if (this.#state.index < created) return false;
    return agents.every((agent) => this.#state.agents.get(agent)?.created !== created);
  }
}
