/** Below every score: a node that cannot take the agent. */
export const infeasible = -1;

/** What the turn adds to a node's score; never more for a node whose turn comes later. */
export interface Turns {
  turn: number;
  /** Sum of the mix's parts by turn. */
  total(turnsUntil: number, feasible: number): number;
}

export interface Best {
  leaf: number;
  total: number;
}

/**
 * The best of many scores while they change one by one: a binary tree in an array, in which each inner node knows the
 * best score below it and how many are feasible. Leaves are in the order of node ids, and of equal scores the first wins.
 */
export class ScoreTree {
  readonly #size: number;
  readonly #best: Float64Array;
  readonly #count: Int32Array;

  constructor(leaves: number) {
    this.#size = 2 ** Math.ceil(Math.log2(Math.max(1, leaves)));
    this.#best = new Float64Array(2 * this.#size).fill(infeasible);
    this.#count = new Int32Array(2 * this.#size);
  }

  get feasible(): number {
    return this.#count[1] as number;
  }

  scoreOf(leaf: number): number {
    return this.#best[this.#size + leaf] as number;
  }

  set(leaf: number, score: number): void {
    const change = Number(score !== infeasible) - (this.#count[this.#size + leaf] as number);
    if (change !== 0) for (let at = this.#size + leaf; at >= 1; at >>= 1) (this.#count[at] as number) += change;
    this.#setBest(leaf, score);
  }

  /** As set, but whoever counts turns still finds it among the feasible ones: until it is shown again. */
  hide(leaf: number): void {
    this.#setBest(leaf, infeasible);
  }

  show(leaf: number, score: number): void {
    this.#setBest(leaf, score);
  }

  #setBest(leaf: number, score: number): void {
    const best = this.#best;
    let at = this.#size + leaf;
    best[at] = score;
    for (at >>= 1; at >= 1; at >>= 1) {
      const [left, right] = [best[2 * at] as number, best[2 * at + 1] as number];
      const higher = left >= right ? left : right;
      if (best[at] === higher) return;
      best[at] = higher;
    }
  }

  first(): Best | undefined {
    const best = this.#best;
    const total = best[1] as number;
    if (total === infeasible) return undefined;
    let at = 1;
    while (at < this.#size) at = best[2 * at] === total ? 2 * at : 2 * at + 1;
    return { leaf: at - this.#size, total };
  }

  /** The best with its turn counted in: goes down where the bound is highest, and never where it cannot win. */
  firstInTurn({ turn, total }: Turns): Best | undefined {
    const feasible = this.feasible;
    if (feasible === 0) return undefined;
    const start = turn % feasible;
    const best = this.#best;
    const count = this.#count;
    let found: Best | undefined;
    /** `place`: feasible leaves left of this part. */
    const boundOf = (at: number, place: number): number => {
      if ((best[at] as number) === infeasible) return infeasible;
      const isInside = place <= start && start < place + (count[at] as number);
      return (best[at] as number) + total(isInside ? 0 : (place - start + feasible) % feasible, feasible);
    };
    const visit = (at: number, first: number, width: number, place: number, bound: number): void => {
      if (bound === infeasible) return;
      if (found !== undefined && (bound < found.total || (bound === found.total && first > found.leaf))) return;
      if (width === 1) {
        found = { leaf: first, total: bound };
        return;
      }
      const half = width / 2;
      const between = place + (count[2 * at] as number);
      const [left, right] = [boundOf(2 * at, place), boundOf(2 * at + 1, between)];
      if (left >= right) visit(2 * at, first, half, place, left);
      visit(2 * at + 1, first + half, half, between, right);
      if (left < right) visit(2 * at, first, half, place, left);
    };
    visit(1, 0, this.#size, 0, boundOf(1, 0));
    return found;
  }
}
