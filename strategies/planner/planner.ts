import type { Candidate } from '../candidate.ts';
import { choose } from '../choose.ts';
import { type Mix, mixOf } from '../mix.ts';
import type { Need } from '../need.ts';
import { strategies as known } from '../registry.ts';
import { shownScore } from '../score.ts';
import type { Decision, Rejections, Strategy } from '../strategy.ts';
import { ChangeRing } from './change-ring.ts';
import { type Field, NeedClass } from './need-class.ts';
import { type NodeProfile, Slot } from './slot.ts';

/** What a planner keeps; beyond it things are found again. */
export interface PlannerLimits {
  /** Nodes times classes, about 100 bytes each. */
  cellsMax: number;
  /** Changes of nodes that a class can read up on. */
  changesMax: number;
}

const plannerLimits: PlannerLimits = { cellsMax: 4_000_000, changesMax: 65_536 };
const classesMin = 16;
/** Nodes beside the chosen one that a choice tells of. */
const othersTold = 2;

/** One agent that wants a place. Agents that are alike should share one `need`. */
export interface Ask {
  agent: string;
  need: Need;
  /** Name of a strategy, or names with weights. */
  strategy: string;
  /** As in `PlacementRequest`. */
  turn: number;
  /** Nodes that keep its state. */
  holders?: readonly string[];
}

/** What is kept of a decision: who was chosen and who came next, and how many were rejected for what. */
export interface Choice {
  node: string | undefined;
  /** 0 to 100; 0 where there is no node. */
  score: number;
  next: readonly { node: string; score: number }[];
  /** How many nodes could have taken it. */
  feasible: number;
  /** Shared with other choices as long as nothing changed. */
  rejected: Rejections;
}

interface Reserved {
  slot: Slot;
  need: Need;
}

/**
 * Places agents one after the other without looking at every node for each: what `choose` comes to, from an index. What it
 * places it reserves, so that each decision sees those before it, however old the loads are that nodes told of.
 */
export class Planner {
  readonly #strategies: ReadonlyMap<string, Strategy>;
  readonly #limits: PlannerLimits;
  readonly #slots = new Map<string, Slot>();
  readonly #reserved = new Map<string, Reserved>();
  readonly #siteCounts = new Map<string, Map<string, number>>();
  readonly #classes = new Map<string, NeedClass>();
  /** The classes of a need by strategy: alike needs are found by their text, and the same one faster. */
  #classesOf = new WeakMap<Need, Map<string, NeedClass>>();
  #field: Field & { slots: Slot[]; shape: number };
  #isSorted = true;
  #used = 0;

  constructor(strategies: ReadonlyMap<string, Strategy> = known, limits: PlannerLimits = plannerLimits) {
    this.#strategies = strategies;
    this.#limits = limits;
    this.#field = {
      slots: [],
      shape: 0,
      changes: new ChangeRing(limits.changesMax),
      siteCounts: (agentType) => this.#siteCounts.get(agentType) ?? new Map(),
    };
  }

  get nodes(): number {
    return this.#slots.size;
  }

  get agents(): number {
    return this.#reserved.size;
  }

  /** The node that an agent has its reservation on. */
  nodeOf(agent: string): string | undefined {
    return this.#reserved.get(agent)?.slot.node;
  }

  needOf(agent: string): Need | undefined {
    return this.#reserved.get(agent)?.need;
  }

  /** The nodes with what is reserved on them, in the order of their ids; they change with the planner. */
  candidates(): readonly Candidate[] {
    return this.#sorted().slots;
  }

  /** A node that is new, or is another than before; what is reserved on it stays. */
  setNode(profile: NodeProfile): void {
    const slot = this.#slots.get(profile.node);
    if (slot === undefined) {
      this.#slots.set(profile.node, new Slot(profile));
      this.#isSorted = false;
      return;
    }
    const { site } = slot;
    slot.become(profile);
    if (site === slot.site) this.#field.changes.add(slot.rank);
    else {
      for (const [agentType, count] of slot.byType) {
        this.#countSite(agentType, site, -count);
        this.#countSite(agentType, slot.site, count);
      }
      this.#isSorted = false;
    }
  }

  /** Forgets a node with all that is reserved on it; returns the agents that had it. */
  removeNode(node: string): string[] {
    const slot = this.#slots.get(node);
    if (slot === undefined) return [];
    const agents = [...slot.agentIds];
    for (const agent of agents) this.release(agent);
    this.#slots.delete(node);
    this.#isSorted = false;
    return agents;
  }

  /**
   * Takes up a placement that was decided before. It is not asked whether it fits: what has been committed is so.
   * Returns false, and changes nothing, when there is no such node or the agent has a reservation.
   */
  reserve(agent: string, node: string, need: Need): boolean {
    const slot = this.#slots.get(node);
    if (slot === undefined || this.#reserved.has(agent)) return false;
    slot.add(agent, need);
    this.#reserved.set(agent, { slot, need });
    this.#countSite(need.agentType, slot.site, 1);
    this.#field.changes.add(slot.rank);
    return true;
  }

  release(agent: string): boolean {
    const reserved = this.#reserved.get(agent);
    if (reserved === undefined) return false;
    const { slot, need } = reserved;
    slot.remove(agent, need);
    this.#reserved.delete(agent);
    this.#countSite(need.agentType, slot.site, -1);
    this.#field.changes.add(slot.rank);
    return true;
  }

  /** Where the agent would go; undefined when there is no such strategy. Nothing is reserved. */
  choose(ask: Ask): Choice | undefined {
    const found = this.#classOf(ask);
    if (found === undefined) return undefined;
    const holders = this.#holders(ask);
    const { picks, feasible, rejected } = found.best(this.#sorted(), ask.turn, 1 + othersTold, holders);
    const told = picks.map(({ slot, total }) => ({ node: slot.node, score: shownScore(total) }));
    const [first, ...next] = told;
    return { node: first?.node, score: first?.score ?? 0, next, feasible, rejected };
  }

  /** Chooses, and reserves. An agent that has a reservation keeps it until it is released. */
  place(ask: Ask): Choice | undefined {
    const choice = this.choose(ask);
    if (choice?.node !== undefined && !this.#reserved.has(ask.agent)) this.reserve(ask.agent, choice.node, ask.need);
    return choice;
  }

  /** A choice at full length, as of now: every node with its score or the reason. Takes as long as there are nodes. */
  explain(ask: Ask): Decision | undefined {
    const mix = mixOf(ask.strategy, this.#strategies);
    if (mix === undefined) return undefined;
    const holders = this.#holders(ask);
    for (const slot of holders) slot.holdsState = true;
    const decision = choose(mix, { ...ask.need, agent: ask.agent, turn: ask.turn }, this.#sorted().slots);
    for (const slot of holders) slot.holdsState = false;
    return decision;
  }

  #holders({ holders = [] }: Ask): Slot[] {
    return holders.flatMap((node) => this.#slots.get(node) ?? []);
  }

  #countSite(agentType: string, site: string, change: number): void {
    let counts = this.#siteCounts.get(agentType);
    if (counts === undefined) this.#siteCounts.set(agentType, (counts = new Map()));
    const count = (counts.get(site) ?? 0) + change;
    if (count === 0) counts.delete(site);
    else counts.set(site, count);
    if (counts.size === 0) this.#siteCounts.delete(agentType);
  }

  #sorted(): Field {
    if (this.#isSorted) return this.#field;
    this.#isSorted = true;
    this.#field.slots = [...this.#slots.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
    for (const [rank, slot] of this.#field.slots.entries()) slot.rank = rank;
    this.#field.shape += 1;
    return this.#field;
  }

  #classOf({ need, strategy }: Ask): NeedClass | undefined {
    let byStrategy = this.#classesOf.get(need);
    if (byStrategy === undefined) this.#classesOf.set(need, (byStrategy = new Map()));
    let found = byStrategy.get(strategy);
    if (found === undefined) {
      const mix = mixOf(strategy, this.#strategies);
      if (mix === undefined) return undefined;
      found = this.#classNamed(JSON.stringify([strategy, need]), need, mix);
      byStrategy.set(strategy, found);
    }
    this.#used += 1;
    found.usedAt = this.#used;
    return found;
  }

  #classNamed(key: string, need: Need, mix: Mix): NeedClass {
    const there = this.#classes.get(key);
    if (there !== undefined) return there;
    const classesMax = Math.max(classesMin, Math.floor(this.#limits.cellsMax / Math.max(1, this.#slots.size)));
    if (this.#classes.size >= classesMax) this.#forgetHalf();
    const made = new NeedClass(need, mix);
    this.#classes.set(key, made);
    return made;
  }

  /** Those that were not used for longest: they are built again when they are. */
  #forgetHalf(): void {
    const byUse = [...this.#classes].sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [key] of byUse.slice(0, Math.ceil(byUse.length / 2))) this.#classes.delete(key);
    this.#classesOf = new WeakMap();
  }
}
