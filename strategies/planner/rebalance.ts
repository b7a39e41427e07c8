import type { Candidate } from '../candidate.ts';
import { fullnessWith } from '../least-loaded.ts';
import type { Need } from '../need.ts';
import type { Planner } from './planner.ts';
import { type Evenness, Scales } from './scales.ts';

export interface RebalanceRules {
  /** How far from the mean, as a share of it, the fullest or the emptiest node must be before anything moves. */
  startAt: number;
  /** How near to the mean all nodes are when it ends; less than `startAt`, or it would soon begin again. */
  stopAt: number;
  /** An agent that has moved stays for so long. */
  coolDownMs: number;
  /** By how much two nodes must come nearer to each other, in hundredths, for each second that the move costs. */
  gainPerCostS: number;
  movesMax: number;
  /** Moves that go on at the same time, and how many of them to the same node: new nodes are filled gently. */
  atOnceMax: number;
  intoNodeMax: number;
}

export const rebalanceRules: RebalanceRules = {
  startAt: 0.2,
  stopAt: 0.1,
  coolDownMs: 10 * 60_000,
  gainPerCostS: 0.05,
  movesMax: 100_000,
  atOnceMax: 16,
  intoNodeMax: 4,
};

/** What is known of moving an agent. */
export interface MoveCost {
  /** As measured: for how long its tasks would wait. */
  costS: number;
  /** Nothing where it never moved. */
  movedAgoMs?: number | undefined;
}

export interface Move {
  agent: string;
  from: string;
  to: string;
  /** By how much the two nodes come nearer to each other, in hundredths. */
  gain: number;
  costS: number;
  /** Those of a wave go at the same time, after those of the wave before. */
  wave: number;
}

/** Why an agent of a node that was too full stays there. */
export type Stay = 'cooling' | 'too_dear' | 'nowhere' | 'no_gain';

export interface RebalancePlan {
  moves: Move[];
  before: Evenness;
  after: Evenness;
  /** How many stay on nodes that have more than the others, for which reason last. */
  stays: Partial<Record<Stay, number>>;
  end: 'even' | 'nothing_gains' | 'moves_max';
}

type Trial = Omit<Move, 'wave' | 'from'>;

const strategy = 'least_loaded';

class Rebalance {
  readonly #planner: Planner;
  readonly #costOf: (agent: string) => MoveCost;
  readonly #rules: RebalanceRules;
  readonly #scales: Scales;
  readonly #moves: Move[] = [];
  readonly #moved = new Set<string>();
  readonly #stays = new Map<string, Stay>();
  readonly #waves: { count: number; into: Map<string, number> }[] = [];
  /** The first wave with room. */
  #openWave = 0;

  constructor(planner: Planner, costOf: (agent: string) => MoveCost, rules: RebalanceRules) {
    this.#planner = planner;
    this.#costOf = costOf;
    this.#rules = rules;
    this.#scales = new Scales(planner.candidates());
  }

  plan(): RebalancePlan {
    const before = this.#scales.evenness();
    const end = this.#scales.isWithin(this.#rules.startAt) ? 'even' : this.#moveAll();
    const stays: RebalancePlan['stays'] = {};
    for (const [agent, stay] of this.#stays) {
      if (!this.#moved.has(agent)) stays[stay] = (stays[stay] ?? 0) + 1;
    }
    return { moves: this.#moves, before, after: this.#scales.evenness(), stays, end };
  }

  #moveAll(): RebalancePlan['end'] {
    const scales = this.#scales;
    const { stopAt, movesMax } = this.#rules;
    while (!scales.isWithin(stopAt)) {
      if (this.#moves.length >= movesMax) return 'moves_max';
      const from = scales.giving();
      if (from === undefined) return 'nothing_gains';
      const best = this.#bestFrom(from);
      if (best === undefined) scales.keeps(from);
      else this.#move(from, best);
    }
    return 'even';
  }

  /** What gains most beyond its cost. Agents with the same need would go to the same node, so that is asked once. */
  #bestFrom(from: number): Trial | undefined {
    const { node, agentIds = [] } = this.#scales.nodes[from] as Candidate;
    const targets = new Map<Need, { to: string; gain: number } | Stay>();
    let best: Trial | undefined;
    let worth = 0;
    for (const agent of agentIds) {
      if (this.#moved.has(agent)) continue;
      const need = this.#planner.needOf(agent) as Need;
      const { costS, movedAgoMs = Number.POSITIVE_INFINITY } = this.#costOf(agent);
      if (movedAgoMs < this.#rules.coolDownMs) {
        this.#stays.set(agent, 'cooling');
        continue;
      }
      let target = targets.get(need);
      if (target === undefined) targets.set(need, (target = this.#target(agent, from, node, need)));
      const price = costS * this.#rules.gainPerCostS;
      if (typeof target === 'string') this.#stays.set(agent, target);
      else if (target.gain <= price) this.#stays.set(agent, 'too_dear');
      else {
        const isBetter = target.gain - price > worth || (target.gain - price === worth && agent < (best?.agent ?? ''));
        if (!isBetter) continue;
        worth = target.gain - price;
        best = { agent, costS, ...target };
      }
    }
    return best;
  }

  #target(agent: string, from: number, node: string, need: Need): { to: string; gain: number } | Stay {
    const planner = this.#planner;
    // It counts on its site as long as it is there, which may be what keeps it from going.
    const isSpread = need.spread?.skewMax !== undefined;
    if (isSpread) planner.release(agent);
    const { node: to } = planner.choose({ agent, need, strategy, turn: 0 }) ?? {};
    if (isSpread) planner.reserve(agent, node, need);
    if (to === undefined) return 'nowhere';
    const rank = this.#scales.rankOf(to);
    if (to === node || rank === undefined) return 'no_gain';
    const gain = this.#gain(from, rank, need);
    return gain > 0 ? { to, gain } : 'no_gain';
  }

  /** By how much two nodes come nearer to each other; nothing where both are near enough to the mean already. */
  #gain(from: number, to: number, need: Need): number {
    const scales = this.#scales;
    const [full, empty] = [scales.full(from), scales.full(to)];
    const { stopAt } = this.#rules;
    if (!scales.isAbove(full, stopAt) && !scales.isBelow(empty, stopAt)) return 0;
    const left = fullnessWith(scales.nodes[from] as Candidate, need, -1);
    const filled = fullnessWith(scales.nodes[to] as Candidate, need, 1);
    return 100 * (full - empty - Math.abs(left - filled));
  }

  #move(rank: number, trial: Trial): void {
    const { agent, to } = trial;
    const { node: from } = this.#scales.nodes[rank] as Candidate;
    const need = this.#planner.needOf(agent) as Need;
    this.#planner.release(agent);
    this.#planner.reserve(agent, to, need);
    this.#moved.add(agent);
    this.#moves.push({ ...trial, from, wave: this.#waveFor(to) });
    for (const each of [rank, this.#scales.rankOf(to) as number]) this.#scales.weigh(each);
  }

  #waveFor(to: string): number {
    const { atOnceMax, intoNodeMax } = this.#rules;
    while ((this.#waves[this.#openWave]?.count ?? 0) >= atOnceMax) this.#openWave += 1;
    let wave = this.#openWave;
    for (; ; wave++) {
      const there = this.#waves[wave] ?? { count: 0, into: new Map<string, number>() };
      this.#waves[wave] = there;
      const into = there.into.get(to) ?? 0;
      if (there.count >= atOnceMax || into >= intoNodeMax) continue;
      there.count += 1;
      there.into.set(to, into + 1);
      return wave;
    }
  }
}

/**
 * Moves that make the nodes evenly full: from the fullest, one agent after the other, to the emptiest node that can take
 * it, as long as the two come nearer to each other by more than the move costs. No agent moves twice. The planner
 * is left as if they had been made.
 */
export function planRebalance(
  planner: Planner,
  costOf: (agent: string) => MoveCost,
  rules: RebalanceRules = rebalanceRules,
): RebalancePlan {
  return new Rebalance(planner, costOf, rules).plan();
}
