import type { AgentProgress, Rollout, RolloutEnd } from './rollout.ts';

/** A rollout under way, for people and programs. */
export interface RolloutView {
  since: number;
  sinceMs: number;
  from: number;
  to: number;
  phase: Rollout['phase'];
  maxFailures: number;
  settleMs: number;
  reason: string | undefined;
  failed: string | undefined;
  /** How many agents have come how far. */
  counts: Partial<Record<AgentProgress, number>>;
  /** The agents that are not there yet, and those that cannot go back; the first of them. */
  agents: { agent: string; version: number; progress: AgentProgress; reason: string | undefined }[];
}

/** A type of agents, and which versions of its code they run. */
export interface TypeView {
  type: string;
  runtime: string;
  /** Of the code that new agents get. */
  version: number;
  /** The one before it, if it is kept. */
  previous: number | undefined;
  versions: { version: number; agents: number }[];
  rollout: RolloutView | undefined;
  rolloutEnd: RolloutEnd | undefined;
}
