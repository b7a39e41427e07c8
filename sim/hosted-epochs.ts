import type { Effect } from '../node/core/effect.ts';
import type { NodeId } from '../node/core/message.ts';

/** The epochs in which each node runs an agent in its present life, or tries to, as it tells what runs them. */
export class HostedEpochs {
  readonly #epochs = new Map<string, Set<number>>();

  of(node: NodeId, agent: string): number[] {
    return [...(this.#epochs.get(`${node} ${agent}`) ?? [])];
  }

  /** The node begins anew. */
  started(node: NodeId): void {
    for (const key of this.#epochs.keys()) if (key.startsWith(`${node} `)) this.#epochs.delete(key);
  }

  did(node: NodeId, effect: Effect): void {
    const isOne = effect.type === 'startAgent' || effect.type === 'stopAgent' || effect.type === 'renewAgent';
    if (!isOne) return;
    const key = `${node} ${effect.agent}`;
    const epochs = this.#epochs.get(key) ?? new Set();
    this.#epochs.set(key, epochs);
    if (effect.type === 'renewAgent') epochs.delete(effect.from);
    if (effect.type === 'stopAgent') epochs.delete(effect.epoch);
    else epochs.add(effect.epoch);
  }
}
