import type { Candidate } from './candidate.ts';
import type { Need } from './need.ts';
import type { ReasonCode } from './reason.ts';

export interface Ranked {
  node: string;
  name: string;
  /** 0 to 100; higher is better. */
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
  /** Somebody ordered it to be that node, whatever the ranking says. */
  ordered?: boolean;
}

/** How many nodes were rejected for which reason first. */
export type Rejections = Readonly<Partial<Record<ReasonCode, number>>>;

/** Agents of the type on a candidate's site, and on the sites with the fewest and the most that could take it. */
export interface SiteStanding {
  readonly count: number;
  readonly least: number;
  readonly most: number;
}

/** The part of a feasible node's situation that the other nodes make. */
export interface Standing {
  /** How many feasible nodes have their turn before it. */
  readonly turnsUntil: number;
  readonly feasible: number;
  readonly site: SiteStanding;
}

/**
 * Scores a feasible node in up to three parts, of which each may look at no more than it is given. That is what an
 * index needs that does not look at every node. Each part is a whole number, and together they are 0 to `scoreMax`.
 * Pure.
 */
export interface Strategy {
  readonly name: string;
  /** Of the node by itself. */
  score?(candidate: Candidate, need: Need): number;
  /** The same for all nodes of a site; asked only of needs with `spread`. */
  siteScore?(site: SiteStanding): number;
  /** Falls, or stays as it is, the more turns there are until its own. */
  turnScore?(turnsUntil: number, feasible: number): number;
  /** What it went by, for people. */
  why(candidate: Candidate, need: Need, standing: Standing): string;
}
