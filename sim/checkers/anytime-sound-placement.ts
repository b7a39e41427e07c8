import type { EffectOf } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Ledger } from '../ledger.ts';
import { isMet } from '../picky.ts';
import { type Checker, Violation } from './checker.ts';

/** What the world knows of nodes and agents that no report tells. */
export interface Capacities {
  agentsMax(node: NodeId): number;
  capabilities(node: NodeId): readonly string[];
  needs(agent: string): readonly string[];
}

/** No placement on a node that is dead, left, draining, ineligible or full at that place in the log, and no such holders. */
export class SoundPlacement implements Checker {
  readonly name = 'anytime-sound-placement';
  readonly #ledger: Ledger;
  readonly #capacities: Capacities;
  #index = 0;

  /** Judges a decision when the ledger, which must watch before it, has entered it. */
  constructor(ledger: Ledger, capacities: Capacities) {
    this.#ledger = ledger;
    this.#capacities = capacities;
  }

  reported(_node: NodeId, { index, kind, details }: EffectOf<'report'>['report']): void {
    if (kind !== 'agentPlaced' || index <= this.#index) return;
    this.#index = index;
    const { agent, host, holders } = details as { agent: string; host: NodeId; holders: NodeId[] };
    const wrong = this.#whatIsWrong(agent, host, holders);
    if (wrong !== undefined) throw new Violation(this.name, `entry ${index} places ${agent} on ${host}: ${wrong}`);
  }

  #whatIsWrong(agent: string, host: NodeId, holders: readonly NodeId[]): string | undefined {
    const membership = (node: NodeId): string => this.#ledger.members.get(node)?.membership ?? 'unknown';
    if (!this.#ledger.agents.has(agent)) return 'there is no such agent';
    if (membership(host) !== 'alive') return `the host is ${membership(host)}`;
    if (!holders.includes(host)) return 'the host is not among the holders';
    if (new Set(holders).size !== holders.length) return `the holders are not distinct: ${holders.join(', ')}`;
    const lost = holders.find((holder) => membership(holder) !== 'alive');
    if (lost !== undefined) return `its holder ${lost} is ${membership(lost)}`;
    const { before, active } = this.#ledger.agents.get(agent) ?? {};
    const isDraining = (node: NodeId): boolean => this.#ledger.members.get(node)?.draining === true;
    // Where it is already it may stay, and so may its state.
    if (isDraining(host) && before?.host !== host) return 'the host is draining';
    const there = [...(before?.holders ?? []), ...(active?.holders ?? [])];
    const taken = holders.find((holder) => isDraining(holder) && !there.includes(holder));
    if (taken !== undefined) return `its new holder ${taken} is draining`;
    const has = this.#capacities.capabilities(host);
    const missing = this.#capacities.needs(agent).filter((need) => !isMet(need, has));
    if (missing.length > 0) return `the host lacks ${missing.join(', ')}`;
    const count = [...this.#ledger.agents.values()].filter(({ placement }) => placement?.host === host).length;
    const max = this.#capacities.agentsMax(host);
    return count > max ? `the host has ${count} agents, at most ${max} are allowed` : undefined;
  }
}
