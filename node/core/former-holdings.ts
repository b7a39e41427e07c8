import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Holder } from './holder.ts';
import { isLeftover } from './leftovers.ts';
import type { NodeId } from './message.ts';

const lookEveryMs = 1_000;

/**
 * Whether a node has no more use for what it keeps of an agent: a later epoch answers, of which it is no holder, and nothing
 * that is under way may ask for it. What an operator gave up is kept.
 */
export function mayLetGo(agent: AgentRecord, kept: { epoch: number; sequence: number }, node: NodeId): boolean {
  const { active, placement, migration, loss } = agent;
  // While another epoch is under way, what this node has may be wanted: by itself, by the new host, or by an operator.
  if (active === undefined || placement?.epoch !== active.epoch || kept.epoch > active.epoch) return false;
  if (active.holders.includes(node) || placement.host === node || migration?.target === node) return false;
  if (loss !== undefined && active.epoch < loss.index) return false;
  return !isLeftover(loss, kept);
}

/** Lets go of states of which this node is no holder any more. Only the promise to refuse older epochs stays. */
export class FormerHoldings {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #holder: Holder;
  readonly #knowsOwnLog: () => boolean;
  #nextMs = 0;

  /**
   * `knowsOwnLog`: what this node took in for an epoch, or for a move, it took in after the entries that ask for it were on its
   * disk. A state that is behind these may not show yet what it is wanted for.
   */
  constructor(context: Context, state: ClusterState, holder: Holder, knowsOwnLog: () => boolean) {
    this.#context = context;
    this.#state = state;
    this.#holder = holder;
    this.#knowsOwnLog = knowsOwnLog;
  }

  tick(): void {
    const { nowMs, self } = this.#context;
    if (nowMs < this.#nextMs || !this.#knowsOwnLog()) return;
    this.#nextMs = nowMs + lookEveryMs;
    for (const id of this.#holder.agents()) {
      const agent = this.#state.agents.get(id);
      const kept = this.#holder.stepOf(id);
      if (agent?.active === undefined || kept === undefined || kept.epoch === 0) continue;
      if (mayLetGo(agent, kept, self)) this.#holder.letGo(id, agent.active.epoch);
    }
  }
}
