import type { Candidate } from '../candidate.ts';
import { whyInfeasible } from '../feasibility.ts';
import type { Need } from '../need.ts';
import type { Ask, Planner } from './planner.ts';
import { planRebalance, rebalanceRules } from './rebalance.ts';
import { swapBetween } from './swaps.ts';

export interface BatchOptions {
  /** Nobody is placed when one of them cannot be. */
  allOrNone?: boolean;
}

/** How often it is tried to make room for somebody by moving others of the batch, and how many at once. */
const shiftsMax = 20_000;
const chainMax = 2;
/** How often it is tried whether two find room in the place of one. */
const exchangesMax = 5_000;
/** How often two are tried in each other's places, in a round. */
const swapsMax = 50_000;
/** How often those that were placed are evened out: in each round an agent moves once at most. */
const rounds = 3;
/** Nobody runs yet, so a move costs nothing; every gain counts. */
const eveningRules = { ...rebalanceRules, startAt: 0, stopAt: 0, coolDownMs: 1 };

/** How many nodes could take an agent, and the largest share that it takes of all that they have of a resource. */
interface Size {
  nodes: number;
  share: number;
}

type Order = (a: Size, b: Size) => number;

/** Those first that fewest nodes can take, the large ones before the small; then orders by which more of them may fit. */
const orders: readonly Order[] = [
  (a, b) => a.nodes - b.nodes || b.share - a.share,
  (a, b) => a.nodes - b.nodes || a.share - b.share,
  (a, b) => a.share - b.share || a.nodes - b.nodes,
];

/** Its sites would have to be counted anew for every try. */
const isTied = ({ need }: Ask): boolean => need.spread?.skewMax !== undefined;

class Batch {
  readonly #planner: Planner;
  readonly #asks: ReadonlyMap<string, Ask>;
  #shiftsLeft = 0;

  constructor(planner: Planner, asks: readonly Ask[]) {
    this.#planner = planner;
    this.#asks = new Map(
      asks.filter(({ agent }) => planner.nodeOf(agent) === undefined).map((ask) => [ask.agent, ask]),
    );
  }

  /** Returns those that found no node. */
  place(): Ask[] {
    let best: Order | undefined;
    let unplaced: Ask[] = [];
    let last: Order | undefined;
    for (const order of orders) {
      this.giveUp();
      const left = this.#placeInOrder(order);
      last = order;
      if (best !== undefined && left.length >= unplaced.length) continue;
      [best, unplaced] = [order, left];
      // Only when not all of them fit does it matter which are tried first.
      if (left.length === 0) break;
    }
    if (best !== undefined && last !== best) {
      this.giveUp();
      unplaced = this.#placeInOrder(best);
    }
    this.#evenOut();
    return unplaced;
  }

  #placeInOrder(order: Order): Ask[] {
    this.#shiftsLeft = shiftsMax;
    let left = this.#sorted(order).filter((ask) => this.#planner.place(ask)?.node === undefined);
    const size = this.#sizes();
    // The smallest first from here on: more of them find room.
    left.sort((a, b) => size(a).share - size(b).share || (a.agent < b.agent ? -1 : 1));
    for (let before = Number.POSITIVE_INFINITY; left.length > 0 && left.length < before; ) {
      before = left.length;
      this.#evenOut();
      const hopeless = new Set<Need>();
      left = left.filter((ask) => {
        if (hopeless.has(ask.need)) return true;
        if (this.#planner.place(ask)?.node !== undefined || this.#makeRoom(ask, chainMax)) return false;
        hopeless.add(ask.need);
        return true;
      });
    }
    return this.#exchange(left);
  }

  giveUp(): void {
    for (const agent of this.#asks.keys()) this.#planner.release(agent);
  }

  #sorted(order: Order): Ask[] {
    const size = this.#sizes();
    const byName = (a: Ask, b: Ask): number => (a.agent < b.agent ? -1 : 1);
    return [...this.#asks.values()].sort((a, b) => order(size(a), size(b)) || byName(a, b));
  }

  #sizes(): (ask: Ask) => Size {
    const totals = new Map<string, number>();
    for (const { capacity = {} } of this.#planner.candidates()) {
      for (const [name, amount] of Object.entries(capacity)) totals.set(name, (totals.get(name) ?? 0) + amount);
    }
    const sizes = new Map<Need, Size>();
    return (ask) => {
      const known = sizes.get(ask.need);
      if (known !== undefined) return known;
      const amounts = Object.entries(ask.need.resources ?? {});
      const shares = amounts.map(([name, amount]) => amount / Math.max(1, totals.get(name) ?? 0));
      const made = { nodes: this.#planner.choose(ask)?.feasible ?? 0, share: Math.max(0, ...shares) };
      sizes.set(ask.need, made);
      return made;
    };
  }

  /** Places the agent where it fits once another one of the batch is somewhere else, for which room is made likewise. */
  #makeRoom(ask: Ask, chain: number): boolean {
    if (chain === 0 || isTied(ask)) return false;
    for (const candidate of this.#planner.candidates()) {
      for (const other of this.#oneOfEach(candidate)) {
        if (this.#shiftsLeft === 0) return false;
        if (this.#shift(ask, candidate, other, chain)) return true;
      }
    }
    return false;
  }

  #shift(ask: Ask, candidate: Candidate, other: Ask, chain: number): boolean {
    const planner = this.#planner;
    planner.release(other.agent);
    if (whyInfeasible(candidate, ask.need) === undefined) {
      this.#shiftsLeft -= 1;
      planner.reserve(ask.agent, candidate.node, ask.need);
      if (planner.place(other)?.node !== undefined || this.#makeRoom(other, chain - 1)) return true;
      planner.release(ask.agent);
    }
    planner.reserve(other.agent, candidate.node, other.need);
    return false;
  }

  /** Agents of the batch on a node, one of all that need the same. */
  #oneOfEach({ agentIds }: Candidate): Ask[] {
    const found = new Map<Need, Ask>();
    for (const agent of agentIds ?? []) {
      const ask = this.#asks.get(agent);
      if (ask !== undefined && !isTied(ask) && !found.has(ask.need)) found.set(ask.need, ask);
    }
    return [...found.values()];
  }

  /** Where two or more find room in the place of one, it gives way. Returns those that are left then. */
  #exchange(unplaced: readonly Ask[]): Ask[] {
    let left = [...unplaced];
    let triesLeft = exchangesMax;
    for (let before = Number.POSITIVE_INFINITY; left.length > 1 && left.length < before; ) {
      before = left.length;
      for (const candidate of this.#planner.candidates()) {
        for (const large of this.#oneOfEach(candidate)) {
          if (triesLeft === 0) return left;
          triesLeft -= 1;
          left = this.#exchangeOne(candidate, large, left);
        }
      }
    }
    return left;
  }

  #exchangeOne(candidate: Candidate, large: Ask, left: Ask[]): Ask[] {
    const planner = this.#planner;
    planner.release(large.agent);
    const placed = new Set<string>();
    const hopeless = new Set<Need>();
    for (const ask of left) {
      if (hopeless.has(ask.need)) continue;
      if (isTied(ask) || whyInfeasible(candidate, ask.need) !== undefined) hopeless.add(ask.need);
      else {
        planner.reserve(ask.agent, candidate.node, ask.need);
        placed.add(ask.agent);
      }
    }
    if (placed.size > 1) return [...left.filter(({ agent }) => !placed.has(agent)), large];
    for (const agent of placed) planner.release(agent);
    planner.reserve(large.agent, candidate.node, large.need);
    return left;
  }

  /** Those that go to the emptiest node went to the emptiest then; what came after may have changed which that is. */
  #evenOut(): void {
    for (let round = 0; round < rounds; round++) {
      const { moves } = planRebalance(
        this.#planner,
        (agent) => ({ costS: 0, movedAgoMs: this.#asks.get(agent)?.strategy === 'least_loaded' ? undefined : 0 }),
        eveningRules,
      );
      const swaps = swapBetween(
        this.#planner,
        (candidate) => this.#oneOfEach(candidate).filter(({ strategy }) => strategy === 'least_loaded'),
        swapsMax,
      );
      if (moves.length + swaps === 0) return;
    }
  }
}

/**
 * Places many agents that nobody waits for one by one, better than one after the other as they come: those first for
 * which there are fewest nodes, with others moved out of the way, evened out at the end. Returns those that found no
 * node; with `allOrNone` and one of these, nothing is reserved. Agents that have a reservation keep it.
 */
export function placeBatch(planner: Planner, asks: readonly Ask[], { allOrNone = false }: BatchOptions = {}): Ask[] {
  const batch = new Batch(planner, asks);
  const unplaced = batch.place();
  if (allOrNone && unplaced.length > 0) batch.giveUp();
  return unplaced;
}
