import type { NodeId } from '../../node/core/message.ts';

/** What the reports of the log carry, by kind. */
export interface Logged {
  leaderElected: { leader: NodeId; term: number };
  votersChanged: { voters: readonly NodeId[]; learners: readonly NodeId[] };
  memberJoined: { node: NodeId; boot: number; draining?: boolean };
  memberDead: { node: NodeId; boot: number; accusers: readonly NodeId[] };
  memberLeft: { node: NodeId; boot: number };
  drainBegun: { node: NodeId; stopping: boolean };
  drainUndone: { node: NodeId; wasStopping: boolean };
  drainOverdue: { node: NodeId };
  drainDone: { node: NodeId; kept: readonly string[] };
  /** Of a request that came a second time it names no agents. */
  agentsCreated: { agents?: readonly string[]; type?: string };
  /** `migration`: whose switch it is. */
  agentPlaced: {
    agent: string;
    host: NodeId;
    epoch: number;
    holders: readonly NodeId[];
    reason: string;
    migration?: number;
    version?: number;
    stays?: string;
  };
  /** Of one that was asked for twice it names no more than the type. */
  rolloutBegun: { type: string; since?: number; from: number; to: number };
  rolloutTurned: { type: string; since: number; to: number; agent?: string; reason: string };
  rolloutSettled: { type: string; since: number; agent: string };
  rolloutLeft: { type: string; since: number; agent: string; reason: string };
  rolloutEnded: {
    type: string;
    since: number;
    from: number;
    to: number;
    outcome: 'complete' | 'rolledBack';
    reason: string;
    stays: readonly string[];
  };
  migrationBegun: { agent: string; since: number; host: NodeId; target: NodeId; version?: number };
  migrationPrepared: { agent: string; since: number; target: NodeId };
  migrationCancelled: { agent: string; since: number; target: NodeId };
  migrationFailed: { agent: string; since: number; target: NodeId; reason: string };
  branchFound: { agent: string; branch: string; number: number };
  branchEnded: {
    agent: string;
    branch: string;
    number: number;
    outcome: 'fastForwarded' | 'merged' | 'contained' | 'forked';
    reason: string;
  };
  agentCrashLooping: { agent: string; epoch: number; failures: number };
  agentHealed: { agent: string; epoch: number; failures: number };
  agentPending: { agent: string; reason: string };
  agentActive: { agent: string; epoch: number; host: NodeId };
  agentRecovered: { agent: string; from: NodeId; epoch: number; sequence: number };
  agentDeleted: { agent: string };
  agentGone: { agent: string; index: number };
  /** Of consensus alone: a command that came again, or too late. */
  repeat: { attempt: number };
  expired: { attempt: number };
}
