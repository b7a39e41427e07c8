/** Whole numbers by name of a resource: `cpu` in thousandths of a core, `memory` in MB (10^6 bytes), others counted. */
export type Amounts = Readonly<Record<string, number>>;

/** A node as a strategy sees it: a small, plain picture, no more than placement needs. What is left out is not there. */
export interface Candidate {
  readonly node: string;
  readonly name: string;
  readonly site: string;
  /** Names, some with a version: `gpu`, `gpu=2.1`. */
  readonly capabilities: readonly string[];
  readonly draining: boolean;
  /** Agents placed on it by the log. */
  readonly agents: number;
  readonly agentsMax: number;
  /** Gossiped number of cores in use; 0 when unknown. */
  readonly cpu: number;
  /** It already keeps this agent's state: starting there copies nothing. No reason for or against feasibility. */
  readonly holdsState: boolean;
  /** What the gossiped `cpu` was measured with. Agents that came since are counted as busy as those. */
  readonly measured?: { readonly agents: number; readonly ageMs: number } | undefined;
  /** It gets no new agents until it is well again. */
  readonly degraded?: boolean | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Keeps agents away that do not tolerate each of them. */
  readonly taints?: readonly string[] | undefined;
  /** The only types that it takes; empty: any. */
  readonly dedicated?: readonly string[] | undefined;
  readonly capacity?: Amounts | undefined;
  /** Reserved by the log, of `capacity`. */
  readonly used?: Amounts | undefined;
  readonly portsUsed?: ReadonlySet<number> | undefined;
  /** How many agents of each type are on it. */
  readonly byType?: ReadonlyMap<string, number> | undefined;
  readonly agentIds?: ReadonlySet<string> | undefined;
}

/** By code unit, not by locale: every node must come to the same order. */
export const byNode = (a: { node: string }, b: { node: string }): number =>
  a.node < b.node ? -1 : a.node > b.node ? 1 : 0;

/** The share of a resource that is in use with an agent that takes so much of it; 1 of what the node does not have. */
export const shareAfter = (capacity: number, used: number, amount: number): number =>
  capacity > 0 ? (used + amount) / capacity : 1;
