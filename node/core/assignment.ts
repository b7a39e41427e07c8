import type { Isolation } from './isolation.ts';
import type { NodeId } from './message.ts';
import type { TypeRuntime } from './type-capability.ts';

/** What a host is to run, and on what it stands. */
export interface Assignment extends TypeRuntime {
  agent: string;
  agentType: string;
  source: string;
  isolation?: Isolation | undefined;
  /** Log index of the agent's creation. */
  created: number;
  epoch: number;
  holders: NodeId[];
  /** Holders of the last active epoch, to be sealed; none for a new agent. */
  previousHolders: NodeId[] | undefined;
  /** A planned move brings it here: the instance before was at rest when it ended. */
  planned: boolean;
}
