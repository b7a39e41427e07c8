import type { Candidate } from '../candidate.ts';
import { fullnessWith } from '../least-loaded.ts';
import type { Need } from '../need.ts';
import { infeasible, ScoreTree } from './score-tree.ts';

/** Fullness of nodes, in hundredths. */
export interface Evenness {
  least: number;
  mean: number;
  most: number;
}

/** Sums of shares are off by so much, at most. */
const rounding = 1e-9;

const nothing: Need = { agentType: '', capabilities: [] };

/** The nodes by how full they are, while agents move between them. Those that drain or are degraded are left out. */
export class Scales {
  readonly nodes: readonly Candidate[];
  readonly #rankOf: ReadonlyMap<string, number>;
  readonly #full: Float64Array;
  readonly #fullest: ScoreTree;
  readonly #emptiest: ScoreTree;
  /** The fullest of those that may have something to give. */
  readonly #giving: ScoreTree;
  #sum = 0;

  constructor(nodes: readonly Candidate[]) {
    this.nodes = nodes.filter(({ draining, degraded }) => !draining && degraded !== true);
    const { length } = this.nodes;
    this.#rankOf = new Map(this.nodes.map(({ node }, rank) => [node, rank]));
    this.#full = new Float64Array(length);
    this.#fullest = new ScoreTree(length);
    this.#emptiest = new ScoreTree(length);
    this.#giving = new ScoreTree(length);
    for (let rank = 0; rank < length; rank++) this.weigh(rank);
  }

  rankOf(node: string): number | undefined {
    return this.#rankOf.get(node);
  }

  weigh(rank: number): void {
    const full = fullnessWith(this.nodes[rank] as Candidate, nothing, 0);
    this.#sum += full - this.full(rank);
    this.#full[rank] = full;
    this.#fullest.set(rank, full);
    this.#giving.set(rank, full);
    // A score is never below 0, and a node may have been given more than it has.
    this.#emptiest.set(rank, 1 / (1 + full));
  }

  /** 0 to 1, and above where it was given more than it has. */
  full(rank: number): number {
    return this.#full[rank] as number;
  }

  get mean(): number {
    return this.#sum / Math.max(1, this.nodes.length);
  }

  giving(): number | undefined {
    return this.#giving.first()?.leaf;
  }

  /** It has nothing to give, until something on it changes. */
  keeps(rank: number): void {
    this.#giving.set(rank, infeasible);
  }

  /** Whether no node is further from the mean than that share of it. */
  isWithin(share: number): boolean {
    const { least, most } = this.evenness();
    return !this.isAbove(most / 100, share) && !this.isBelow(least / 100, share);
  }

  isAbove(full: number, share: number): boolean {
    return full > this.mean * (1 + share) + rounding;
  }

  isBelow(full: number, share: number): boolean {
    return full < this.mean * (1 - share) - rounding;
  }

  evenness(): Evenness {
    const [fullest, emptiest] = [this.#fullest.first()?.leaf, this.#emptiest.first()?.leaf];
    if (fullest === undefined || emptiest === undefined) return { least: 0, mean: 0, most: 0 };
    return { least: 100 * this.full(emptiest), mean: 100 * this.mean, most: 100 * this.full(fullest) };
  }
}
