/** A node as a strategy sees it: a small, plain picture, no more than placement needs. */
export interface Candidate {
  node: string;
  name: string;
  site: string;
  capabilities: readonly string[];
  draining: boolean;
  /** Agents placed on it by the log. */
  agents: number;
  agentsMax: number;
  /** Gossiped share of one core in use; 0 when unknown. */
  cpu: number;
  /** It already keeps this agent's state: starting there copies nothing. */
  holdsState: boolean;
}

export interface PlacementRequest {
  agent: string;
  agentType: string;
  capabilities: readonly string[];
  /** Count of placements so far in this cluster: the turn of `round_robin`. */
  turn: number;
}

export interface Ranked {
  node: string;
  name: string;
  /** Higher is better. */
  score: number;
  /** The score by part, for people. */
  why: string;
}

export interface Rejected {
  node: string;
  name: string;
  reason: string;
}

/** The answer to "why there, why not there": every node considered is in exactly one of the two lists. */
export interface Decision {
  strategy: string;
  /** The chosen node, or none when every node was rejected. */
  node: string | undefined;
  /** Feasible nodes, best first. */
  ranked: Ranked[];
  rejected: Rejected[];
  /** How many more there were of each, where not all are told. */
  omitted?: { ranked: number; rejected: number };
}

/** Scores one feasible node; `feasible` are all of them, in order of node id. Pure. */
export interface Strategy {
  name: string;
  score(
    candidate: Candidate,
    request: PlacementRequest,
    feasible: readonly Candidate[],
  ): { score: number; why: string };
}
