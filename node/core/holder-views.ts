import type { NodeId } from './message.ts';

/** What becomes of an agent when more of its holders fail, as its host last said. */
export interface FailuresView {
  /** Holders that it has now, those of them that can be reached, and those that have what was acknowledged or are about to. */
  holders: number;
  reachable: number;
  caughtUp: number;
  /** So many disks may be lost at once, and nothing that was acknowledged is, and the agent is recovered by itself. */
  disks: number;
  /** So many may be out of reach at once, and it answers as before. */
  unreachable: number;
  text: string;
  /** How old the host's word is. */
  ageMs: number;
}

/** An agent whose holders are missing, so that nobody knows by itself what was acknowledged last. */
export interface StuckView {
  /** Wall clock of the leader, ms since 1970. */
  sinceMs: number;
  /** Holders of the last active epoch that are dead, or silent for long. */
  missing: { node: NodeId; name: string }[];
  /** What those keep that answered, the best first. */
  survivors: { node: NodeId; name: string; epoch: number; sequence: number; ageMs: number }[];
  last: KnownStep | undefined;
}

/** The newest step of an epoch that is known to have been acknowledged. Later ones may have been since. */
export interface KnownStep {
  epoch: number;
  sequence: number;
  /** How old that knowledge was when the agent's host was missed. */
  ageMs: number;
  /** So long no later step had been acknowledged then. */
  idleMs: number;
}

/** What an agent waits for that an operator let go on: the host of an earlier epoch may not know of it yet. */
export interface FenceView {
  host: NodeId;
  hostName: string;
  leftMs: number;
  text: string;
}
