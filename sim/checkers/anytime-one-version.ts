import type { Effect } from '../../node/core/effect.ts';
import type { NodeId } from '../../node/core/message.ts';
import type { Ledger } from '../ledger.ts';
import { type Checker, Violation } from './checker.ts';

type Details = Record<string, unknown>;

/** Of an agent's code. */
interface Start {
  node: NodeId;
  agent: string;
  epoch: number;
  version: number;
}

/** A rollout under way. */
interface Going {
  to: unknown;
  isForward: boolean;
  /** The agents that it placed in the new version. */
  placed: Set<string>;
  /** The one that has to hold before the next. */
  watched: string | undefined;
}

/**
 * In one epoch an agent runs one version of its code, the one that the log placed it in: so two versions never acknowledge
 * in one epoch. A rollout upgrades one agent at a time, and one that ended has brought its agents to one version, but for
 * those that it says it could not.
 */
export class OneVersion implements Checker {
  readonly name = 'anytime-one-version';
  readonly #ledger: Ledger;
  #index = 0;
  /** Before anybody told of the decision that they follow from. */
  #early: Start[] = [];
  /** By type. */
  readonly #going = new Map<string, Going>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  did(node: NodeId, effect: Effect): void {
    if (effect.type !== 'startAgent') return;
    const { agent, epoch, version = 1 } = effect;
    // A branch has no placement of its own.
    if (effect.told !== undefined) return;
    const start = { node, agent, epoch, version };
    // A start does not wait for the disk as the report of the decision does.
    if (this.#ledger.placement(agent, epoch) === undefined) this.#early.push(start);
    else this.#judgeStart(start);
  }

  #judgeStart({ node, agent, epoch, version }: Start): void {
    const placed = this.#ledger.placement(agent, epoch)?.version ?? 1;
    if (version === placed) return;
    const what = `${node} starts version ${version} of ${agent} in epoch ${epoch}`;
    throw new Violation(this.name, `${what}, which the log placed in version ${placed}`);
  }

  reported(_node: NodeId, { index, kind, details }: { index: number; kind: string; details: Details }): void {
    if (index <= this.#index) return;
    this.#index = index;
    const early = this.#early;
    this.#early = early.filter(({ epoch }) => epoch > index);
    for (const start of early) if (start.epoch <= index) this.#judgeStart(start);
    const type = String(details['type']);
    const going = this.#going.get(type);
    if (kind === 'rolloutBegun' && details['since'] !== undefined) {
      this.#going.set(type, { to: details['to'], isForward: true, placed: new Set(), watched: undefined });
    } else if (kind === 'agentPlaced' && details['version'] !== undefined) this.#onPlaced(details);
    else if (going === undefined) return;
    else if (kind === 'rolloutTurned') going.isForward = false;
    else if (kind === 'rolloutSettled') going.watched = undefined;
    else if (kind === 'rolloutLeft' && going.watched === details['agent']) going.watched = undefined;
    else if (kind === 'rolloutEnded') this.#judge(type, going, details);
  }

  #onPlaced({ agent: placed, version }: Details): void {
    const agent = String(placed);
    const going = this.#going.get(this.#ledger.agents.get(agent)?.type ?? '');
    if (going === undefined) return;
    going.placed.add(agent);
    if (!going.isForward || version !== going.to) return;
    const { watched } = going;
    if (watched !== undefined && watched !== agent && this.#ledger.agents.has(watched)) {
      throw new Violation(this.name, `${agent} is upgraded although ${watched} has not held yet`);
    }
    going.watched = agent;
  }

  #judge(type: string, { placed }: Going, { to, outcome, reason, stays, left = [] }: Details): void {
    this.#going.delete(type);
    const staying = new Set(stays as string[]);
    const leaving = new Set(left as string[]);
    if (outcome === 'rolledBack' && !reason) throw new Violation(this.name, `${type} was rolled back without a reason`);
    for (const [agent, record] of this.#ledger.agents) {
      if (record.type !== type || leaving.has(agent)) continue;
      const isThere = record.version === to;
      const isWrong = outcome === 'complete' ? !isThere : placed.has(agent) && isThere !== staying.has(agent);
      if (!isWrong) continue;
      const what = `the rollout of version ${to} of ${type} ended as ${outcome}`;
      throw new Violation(this.name, `${what} with ${agent} on version ${record.version}`);
    }
  }
}
