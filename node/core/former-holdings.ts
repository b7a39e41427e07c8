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

/** What could be let go of, as it was seen first. */
interface Candidate {
  epoch: number;
  sequence: number;
  sealedEpoch: number;
  /** Of the log then. */
  lastIndex: number;
}

/** Lets go of states of which this node is no holder any more. Only the promise to refuse older epochs stays. */
export class FormerHoldings {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #holder: Holder;
  readonly #lastIndex: () => number;
  readonly #candidates = new Map<string, Candidate>();
  #nextMs = 0;

  /** `lastIndex`: of this node's own log, with what it has not applied. */
  constructor(context: Context, state: ClusterState, holder: Holder, lastIndex: () => number) {
    this.#context = context;
    this.#state = state;
    this.#holder = holder;
    this.#lastIndex = lastIndex;
  }

  tick(): void {
    const { nowMs, self } = this.#context;
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + lookEveryMs;
    for (const id of this.#holder.agents()) {
      const agent = this.#state.agents.get(id);
      const kept = this.#holder.stepOf(id);
      if (agent?.active === undefined || kept === undefined || kept.epoch === 0 || !mayLetGo(agent, kept, self)) {
        this.#candidates.delete(id);
        continue;
      }
      // What this node took in for an epoch, or for a move, it took in after the entries that ask for it were on its disk.
      // A state that is behind these may not show yet what it is wanted for.
      if (this.#state.index < this.#noted(id, kept).lastIndex) continue;
      this.#candidates.delete(id);
      this.#holder.letGo(id, agent.active.epoch);
    }
    for (const id of this.#candidates.keys()) if (this.#holder.stepOf(id) === undefined) this.#candidates.delete(id);
  }

  #noted(id: string, { epoch, sequence, sealedEpoch }: Omit<Candidate, 'lastIndex'>): Candidate {
    const noted = this.#candidates.get(id);
    const isSame = noted?.epoch === epoch && noted.sequence === sequence && noted.sealedEpoch === sealedEpoch;
    if (noted !== undefined && isSame) return noted;
    const candidate = { epoch, sequence, sealedEpoch, lastIndex: this.#lastIndex() };
    this.#candidates.set(id, candidate);
    return candidate;
  }
}
