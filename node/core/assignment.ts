import type { StepName } from './branch.ts';
import type { Isolation } from './isolation.ts';
import type { NodeId } from './message.ts';
import type { Partition } from './partition.ts';
import type { Found } from './recovery.ts';
import type { TypeRuntime } from './type-capability.ts';
import type { TypeCode } from './version-change.ts';

/** What a host is to run, and on what it stands. */
export interface Assignment extends TypeRuntime {
  agent: string;
  agentType: string;
  source: string;
  isolation?: Isolation | undefined;
  partition?: Partition | undefined;
  /** Log index of the agent's creation. */
  created: number;
  /** Log index of an operator's last decision to let it go on without most of its holders. */
  wentOnAt?: number | undefined;
  epoch: number;
  holders: NodeId[];
  /** Holders of the last active epoch, to be sealed; none for a new agent. */
  previousHolders: NodeId[] | undefined;
  /** A planned move brings it here: the instance before was at rest when it ended. */
  planned: boolean;
  /**
   * It runs as a branch of an agent: `agent` is the branch's key then, `epoch` its number, `holders` its keepers, of whom
   * all must have a step before it counts.
   */
  branch?: BranchAssignment | undefined;
  /** Which of the type's versions the source is; the first when omitted. */
  version?: number | undefined;
  /** It was upgraded and has to hold first. */
  isWatched?: boolean;
  /** The code of another version, as long as it is kept. */
  codeOf?(version: number): TypeCode | undefined;
}

export interface BranchAssignment {
  agent: string;
  id: string;
  base: StepName;
  /** Where a new branch begins; one that goes on finds the newest step of its keepers so far. */
  from: Found | undefined;
}
