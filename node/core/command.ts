import { type Entry, entryKinds } from '../../consensus/entry.ts';
import type { Serial } from '../../consensus/sessions.ts';
import type { Decision } from '../../strategies/strategy.ts';
import type { AgentRecoverCommand } from './agent-loss.ts';
import type { BranchCommand, StepName } from './branch.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { CrashLoopCommand } from './crash-loop.ts';
import type { DrainCommand } from './drain.ts';
import { type ErrorBody, errors } from './errors.ts';
import type { Isolation } from './isolation.ts';
import { decodeKvCommand, encodeKvCommand, isKvCommand, type KvCommand } from './kv-command.ts';
import type { NodeId, Profile } from './message.ts';
import type { MigrationCommand } from './migration.ts';
import type { Partition } from './partition.ts';
import type { RolloutCommand } from './rollout.ts';
import { fromBytes, fromJson, toBytes, toJson } from './text.ts';
import type { TopicsCommand } from './topics.ts';

/**
 * A decision, as the replicated log carries it. `atMs` is the leader's wall clock, for the audit trail only; `by` says
 * whose command led to it, so that it takes effect once.
 */
export type Command = { atMs: number; by?: Serial } & (
  | { kind: 'memberJoin'; node: NodeId; boot: number; start: string; profile: Profile }
  | { kind: 'memberDead'; node: NodeId; boot: number; accusers: NodeId[] }
  | { kind: 'memberLeft'; node: NodeId; boot: number }
  /** Why the next configuration is to make a node vote, or vote no more. */
  | { kind: 'voterNote'; node: NodeId; votes: boolean; reason: string }
  | {
      kind: 'agentsCreate';
      /** As the user named it; without a name nobody asks for it again in another session. */
      request: string | undefined;
      agentType: string;
      source: string | undefined;
      /** As the operation has it; older logs have none. */
      interpreter?: string | undefined;
      container?: ContainerSpec | undefined;
      /** Likewise. */
      isolation?: Isolation | undefined;
      /** The exact name of a single agent; without it names are `<base>-<n>`. */
      name: string | undefined;
      base: string;
      count: number;
      strategy: string;
      capabilities: string[];
      holders: number;
      /** Older logs have none. */
      topics?: string[] | undefined;
      partition?: Partition | undefined;
      /** Other code is a new version, and agents keep theirs. In older logs it took the place of the code before. */
      versioned?: boolean | undefined;
    }
  | {
      kind: 'agentPlace';
      agent: string;
      /** The epoch that the proposer saw, 0 for none: if another decision came first, this one is void. */
      after: number;
      host: NodeId;
      boot: number;
      holders: NodeId[];
      reason: string;
      decision: Decision;
      /** The migration whose switch this is. */
      migration?: number | undefined;
      /** Of the agent's code, where it is to be another. */
      version?: number | undefined;
      /** Why the agent cannot go back to the version before. */
      stays?: string | undefined;
      /** The operator's decision that this one follows: `AgentLoss`. */
      loss?: number | undefined;
    }
  | { kind: 'agentPending'; agent: string; reason: string; decision: Decision }
  /** `from`: the step that the epoch went on from; older logs have none. */
  | { kind: 'agentActive'; agent: string; epoch: number; from?: StepName | undefined }
  | { kind: 'agentDelete'; agent: string }
  | { kind: 'agentGone'; agent: string; index: number }
  | AgentRecoverCommand
  | DrainCommand
  | MigrationCommand
  | TopicsCommand
  | BranchCommand
  | RolloutCommand
  | CrashLoopCommand
  | KvCommand
  /**
   * Written by `conclave recover` into the log of a stopped node: a new cluster goes on from here, made of the survivors,
   * the first of which has this log. What it calls lost is dead.
   */
  | {
      kind: 'clusterRecovered';
      from: string;
      cluster: string;
      lastTerm: number;
      lastIndex: number;
      survivors: NodeId[];
      lostVoters: NodeId[];
      /** Agents most of whose holders are lost go on from what the others hold. */
      olderState: boolean;
      /** What agents send from here on has other ids than what they sent in steps that are lost; older logs do not say. */
      otherLetters?: boolean | undefined;
    }
  /** Decides nothing: what became of a command that leads to no other decision. Without `error` all was as it wanted. */
  | { kind: 'outcome'; error: ErrorBody | undefined }
  /** Decides nothing: written by a recovery where an index must not become an epoch. */
  | { kind: 'skip' }
);

export type CommandKind = Command['kind'];
export type CommandOf<K extends CommandKind> = Extract<Command, { kind: K }>;
/** A command before the leader stamps it. */
export type Draft = Command extends infer C ? (C extends Command ? Omit<C, 'atMs'> : never) : never;

export function encodeCommand(command: Command): Uint8Array {
  if (command.kind === 'kvPut' || command.kind === 'kvDelete') return encodeKvCommand(command);
  return toBytes(toJson(command));
}

/** Decodes what `encodeCommand` made. Throws `commandInvalid`: the log holds something this program did not write. */
export function decodeCommand(bytes: Uint8Array): Command {
  try {
    return isKvCommand(bytes) ? decodeKvCommand(bytes) : (fromJson(fromBytes(bytes)) as Command);
  } catch (error) {
    throw errors.commandInvalid({ reason: `unreadable log entry: ${String(error)}` });
  }
}

/** Who ever joined by these entries, and where they were then: a hint for a node that starts again, not a decision. */
export function joinsIn(entries: readonly Entry[]): CommandOf<'memberJoin'>[] {
  return entries.flatMap(({ kind, data }) => {
    if (kind !== entryKinds.command || isKvCommand(data)) return [];
    const command = decodeCommand(data);
    return command.kind === 'memberJoin' ? [command] : [];
  });
}
