import type { AgentLoss } from './agent-loss.ts';
import type { AgentRecord } from './cluster-state.ts';
import { type Context, reportLocally } from './context.ts';
import type { Holder } from './holder.ts';

/** Whether a step is what an operator gave up. */
export function isLeftover(loss: AgentLoss | undefined, kept: { epoch: number; sequence: number }): boolean {
  // What is of a later epoch goes on from what was decided.
  if (loss === undefined || kept.epoch > loss.index) return false;
  return kept.epoch > loss.epoch || (kept.epoch === loss.epoch && kept.sequence > loss.sequence);
}

/**
 * Notices what this node kept of an agent, and what an operator let go when the node was missing. Its record stands until
 * the node becomes a holder of a later epoch, which writes over it.
 */
export class Leftovers {
  readonly #context: Context;
  readonly #holder: Holder;
  readonly #said = new Map<string, number>();

  constructor(context: Context, holder: Holder) {
    this.#context = context;
    this.#holder = holder;
  }

  /** The log said something about the agent. */
  onDecided(id: string, agent: AgentRecord | undefined): void {
    if (agent?.loss === undefined) {
      this.#said.delete(id);
      return;
    }
    const { index, epoch, sequence } = agent.loss;
    if (this.#said.get(id) === index) return;
    this.#said.set(id, index);
    const kept = this.#holder.kept(id);
    if (kept === undefined || !isLeftover(agent.loss, kept)) return;
    const text =
      `this node keeps step ${kept.sequence} of epoch ${kept.epoch} of ${id}, which an operator let go on from step ` +
      `${sequence} of epoch ${epoch}; nothing of it is taken over`;
    const details = { agent: id, epoch: kept.epoch, sequence: kept.sequence, bytes: kept.state.length };
    reportLocally(this.#context, 'agentLeftover', text, { ...details, wentOnFrom: { epoch, sequence } });
  }
}
