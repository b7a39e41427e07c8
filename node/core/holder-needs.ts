import type { AgentRecord } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { NodeId } from './message.ts';
import { chooseHolders, drainingKept } from './placement.ts';
import { majorityOf } from './replication.ts';
import { couldBeFurtherApart, Places, type Spread, whatIsFurtherApart } from './spread.ts';

/** Why an agent needs a new decision. */
export interface Need {
  reason: string;
  /** Only its holders change. */
  stay: boolean;
  /** It answers where it is, and is to go because its host drains. */
  drains?: boolean;
}

interface HolderNeedsInit {
  /** How long this leader knows a node to be dead. */
  deadForMs(node: NodeId): number;
  /** It is out of reach, and may be back in a moment. */
  isUncertain(node: NodeId): boolean;
}

/** Judges whether agents that stay where they are need other holders: as many as wanted, alive, and far apart. */
export class HolderNeeds {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #events: HolderNeedsInit;
  /** Of all nodes that take something. */
  #mostSpread: Spread = { sites: 1, machines: 1 };
  #isUncertain = false;

  constructor(context: Context, decisions: Decisions, events: HolderNeedsInit) {
    this.#context = context;
    this.#decisions = decisions;
    this.#events = events;
  }

  /** Looks at the members as they are now, once for all agents. */
  look(): void {
    const { state } = this.#decisions;
    const alive = state.alive();
    const open = alive.filter(({ drain }) => drain === undefined).map(({ node }) => node);
    this.#mostSpread = new Places(state, open).spread;
    this.#isUncertain = alive.some(({ node }) => this.#events.isUncertain(node));
  }

  /** Why it needs other holders; undefined when it does not. */
  of(agent: AgentRecord, holders: readonly NodeId[], held: ReadonlyMap<NodeId, number>): Need | undefined {
    const { settings } = this.#context;
    const { state } = this.#decisions;
    const alive = state.alive().filter(({ node, drain }) => drain === undefined || holders.includes(node)).length;
    const lost = holders.filter((node) => !this.#decisions.state.isAlive(node));
    const lostForGood = lost.filter((node) => this.#events.deadForMs(node) >= settings.holderGraceMs);
    const living = holders.length - lost.length;
    const isReplaceable = alive > living;
    // With nobody to take its place a lost holder is let go only where that makes the majority smaller.
    const isBurden = majorityOf(holders.length - lostForGood.length) < majorityOf(holders.length);
    if (lostForGood.length > 0 && (isReplaceable || isBurden)) return { reason: 'a holder was lost', stay: true };
    if (lost.length > 0) return undefined;
    const host = agent.placement?.host ?? '';
    const apart = this.#furtherApart(agent, host, held);
    if (apart !== undefined) return { reason: `its holders can be on more ${apart} now`, stay: true };
    const draining = holders.filter((node) => node !== host && state.isDraining(node));
    if (draining.length === 0 && holders.length >= Math.min(agent.holdersWanted, alive)) return undefined;
    const kept = drainingKept(holders.length - draining.length, draining.length, agent.holdersWanted);
    if (alive <= holders.length && kept >= draining.length) return undefined;
    const better = chooseHolders(state, agent, host, held);
    if (better.length > holders.length) return { reason: 'there are enough nodes for all its holders now', stay: true };
    // An agent that is to move takes its holders along then.
    if (state.isDraining(host) || draining.every((node) => better.includes(node))) return undefined;
    return { reason: 'a holder is drained', stay: true };
  }

  /** Whether other holders would be less likely to be lost together. One that moves takes them along then. */
  #furtherApart(agent: AgentRecord, host: NodeId, held: ReadonlyMap<NodeId, number>): 'sites' | 'machines' | undefined {
    const { state } = this.#decisions;
    const holders = agent.placement?.holders ?? [];
    const { spread } = new Places(state, holders);
    if (!couldBeFurtherApart(spread, this.#mostSpread, holders.length)) return undefined;
    const isMoving = agent.migration !== undefined || holders.some((node) => state.isDraining(node));
    if (isMoving || this.#isUncertain) return undefined;
    return whatIsFurtherApart(state, chooseHolders(state, agent, host, held), holders);
  }
}
