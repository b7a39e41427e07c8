import type { Effect } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Ledger } from '../ledger.ts';
import { type Checker, Violation } from './checker.ts';

type Details = Record<string, unknown>;

/**
 * In one epoch an agent runs one version of its code, the one that the log placed it in: so two versions never acknowledge
 * in one epoch. And a rollout that ended has brought its agents to one version, but for those that it says it could not.
 */
export class OneVersion implements Checker {
  readonly name = 'anytime-one-version';
  readonly #ledger: Ledger;
  #index = 0;
  /** By type: the agents that its rollout placed in the new version. */
  readonly #placed = new Map<string, Set<string>>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  did(node: NodeId, effect: Effect): void {
    if (effect.type !== 'startAgent') return;
    const { agent, epoch, version = 1 } = effect;
    const placed = this.#ledger.placement(agent, epoch)?.version ?? 1;
    if (version === placed) return;
    const what = `${node} starts version ${version} of ${agent} in epoch ${epoch}`;
    throw new Violation(this.name, `${what}, which the log placed in version ${placed}`);
  }

  reported(_node: NodeId, { index, kind, details }: { index: number; kind: string; details: Details }): void {
    if (index <= this.#index) return;
    this.#index = index;
    const type = String(details['type']);
    if (kind === 'rolloutBegun' && details['since'] !== undefined) this.#placed.set(type, new Set());
    if (kind === 'agentPlaced' && details['version'] !== undefined) {
      const agent = String(details['agent']);
      this.#placed.get(this.#ledger.agents.get(agent)?.type ?? '')?.add(agent);
    }
    if (kind === 'rolloutEnded') this.#judge(type, details);
  }

  #judge(type: string, { to, outcome, reason, stays }: Details): void {
    const staying = new Set(stays as string[]);
    if (outcome === 'rolledBack' && !reason) throw new Violation(this.name, `${type} was rolled back without a reason`);
    for (const [agent, record] of this.#ledger.agents) {
      if (record.type !== type) continue;
      const isThere = record.version === to;
      const wasPlaced = this.#placed.get(type)?.has(agent) ?? false;
      const isWrong = outcome === 'complete' ? !isThere : wasPlaced && isThere !== staying.has(agent);
      if (!isWrong) continue;
      const what = `the rollout of version ${to} of ${type} ended as ${outcome}`;
      throw new Violation(this.name, `${what} with ${agent} on version ${record.version}`);
    }
    this.#placed.delete(type);
  }
}
