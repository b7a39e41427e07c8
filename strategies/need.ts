import type { Amounts } from './candidate.ts';

/** Towards what, or away from it: agents of a type, one agent, one node (id or name), a site, a label `key=value`. */
export interface Affinity {
  readonly kind: 'type' | 'agent' | 'node' | 'site' | 'label';
  readonly to: string;
  /** -100 to 100, not 0; below 0: away from it. */
  readonly weight: number;
  /** No node will do that does not meet it; else only `affinity_based` looks at it. */
  readonly required?: boolean;
}

/** What agents need of a node: the same for all that are alike, so nothing here names one of them. */
export interface Need {
  readonly agentType: string;
  /** Names, some with a range of versions: `gpu`, `gpu>=2`. */
  readonly capabilities: readonly string[];
  readonly resources?: Amounts | undefined;
  /** Ports of the node that it alone listens on. */
  readonly ports?: readonly number[] | undefined;
  /** Taints that do not keep it away: whole, or the part before `=` for all of them. */
  readonly tolerations?: readonly string[] | undefined;
  readonly affinities?: readonly Affinity[] | undefined;
  /** Agents of its type stand on many sites: no site has `skewMax` more of them than another one that could. */
  readonly spread?: { readonly skewMax?: number | undefined } | undefined;
  /** Most agents of its type on one node. */
  readonly perNodeMax?: number | undefined;
}

export interface PlacementRequest extends Need {
  readonly agent: string;
  /** Count of placements so far in this cluster: the turn of `round_robin`. */
  readonly turn: number;
}
