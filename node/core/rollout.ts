import type { ContainerSpec } from './container-spec.ts';

/**
 * A new version of a type's code on its way to the agents, one after the other, or on its way back. It is on the type's
 * record until it has come to its end.
 */
export interface Rollout {
  /** Log index of the decision that began it: names it. */
  readonly since: number;
  /** The same as wall clock of the leader, ms since 1970; for people only. */
  readonly sinceMs: number;
  readonly from: number;
  readonly to: number;
  /** An agent may fail so often while it is watched. */
  readonly maxFailures: number;
  /** An agent is watched until it has held for so long, ms; then the next one is upgraded. */
  readonly settleMs: number;
  readonly phase: 'forward' | 'back';
  /** The agent that is upgraded or watched, and how often what is to run it could not be made ready. */
  readonly at?: { readonly agent: string; readonly failures: number } | undefined;
  /** Why it goes back, and because of which agent, if it was one. */
  readonly reason?: string | undefined;
  readonly failed?: string | undefined;
}

/** How the last rollout of a type ended. */
export interface RolloutEnd {
  readonly since: number;
  readonly from: number;
  readonly to: number;
  readonly outcome: 'complete' | 'rolledBack';
  readonly reason: string;
  /** The agent because of which it went back. */
  readonly failed?: string | undefined;
  /** Agents that had worked under the new version and could not go back: the first of them, and why. */
  readonly stays: readonly { readonly agent: string; readonly reason: string }[];
  /** Agents that did not answer for so long that it ended without them: the first of them, and why; older logs have none. */
  readonly left?: readonly { readonly agent: string; readonly reason: string }[] | undefined;
}

/** What a rollout has done to an agent; on the agent's record until the rollout has ended. */
export interface Upgrade {
  readonly rollout: number;
  /** The version that it goes back to. */
  readonly from: number;
  /** It has held. */
  readonly settled: boolean;
  /** Why it cannot go back. */
  readonly stays?: string | undefined;
  /** Why the rollout goes on without it, for as long as it does not answer. */
  readonly left?: string | undefined;
}

/** The decisions about rollouts. An upgrade itself is a migration of the agent to where it is, to another version. */
export type RolloutCommand =
  | {
      kind: 'rolloutBegin';
      type: string;
      /** As the user named it. */
      request: string | undefined;
      source: string | undefined;
      interpreter?: string | undefined;
      container?: ContainerSpec | undefined;
      /** In place of code: back to the version before the present one. */
      previous?: boolean | undefined;
      maxFailures: number;
      settleMs: number;
    }
  /** It goes back: by an operator without `since`, else because of an agent. */
  | { kind: 'rolloutTurn'; type: string; since?: number | undefined; agent?: string | undefined; reason: string }
  | { kind: 'rolloutSettled'; type: string; since: number; agent: string; epoch: number }
  /** It does not answer, and the rollout waits for it no longer. */
  | { kind: 'rolloutLeave'; type: string; since: number; agent: string; reason: string }
  | { kind: 'rolloutEnd'; type: string; since: number };

/** How far an agent has come in a rollout. */
export type AgentProgress =
  | 'pending'
  | 'upgrading'
  | 'settling'
  | 'upgraded'
  | 'going_back'
  | 'back'
  | 'stays'
  | 'left';
