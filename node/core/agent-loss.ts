import type { NodeId } from './message.ts';

/** That an operator let an agent go on without a majority of its holders, and from what. */
export interface AgentLoss {
  /** Log index of the decision: every epoch below it is over. */
  readonly index: number;
  /** The node whose checkpoint it went on from, and the step of that. */
  readonly from: NodeId;
  readonly epoch: number;
  readonly sequence: number;
  /** The holders that were not there. */
  readonly missing: readonly NodeId[];
  /** So many acknowledged steps are known to be lost; undefined where nobody knows. */
  readonly lost: number | undefined;
  /** Wall clock of the leader that wrote it down, ms since 1970: for people only; older logs do not say. */
  readonly atMs?: number | undefined;
  /** Nothing is decided about the agent until every host of an earlier epoch must have stopped; older logs do not wait. */
  readonly fenced?: boolean | undefined;
}

/** An operator accepts the loss of what only missing holders have. */
export interface AgentRecoverCommand {
  kind: 'agentRecover';
  agent: string;
  /** The active epoch whose holders are missing: if another became active, this is void. */
  active: number;
  from: NodeId;
  epoch: number;
  sequence: number;
  missing: NodeId[];
  lost: number | undefined;
  fenced?: boolean | undefined;
  /** Log index of the decision before, if there was one: if another came meanwhile, this is void. */
  after?: number | undefined;
}

/** What is known of what was lost, in words. */
export function lostText(lost: number | undefined): string {
  if (lost === undefined) return 'what was acknowledged after that step is lost, and nobody knows how much that is';
  if (lost === 0) return 'it is the last step that is known to have been acknowledged';
  return `${lost} acknowledged ${lost === 1 ? 'step is' : 'steps are'} known to be lost`;
}

/** Whether an operator decided about the agent since it was placed: then it is placed anew. */
export const isOvertaken = ({
  placement,
  loss,
}: {
  placement?: { epoch: number } | undefined;
  loss?: AgentLoss | undefined;
}): boolean => loss !== undefined && placement !== undefined && placement.epoch < loss.index;
