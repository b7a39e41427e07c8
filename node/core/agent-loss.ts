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
  /** At least so many acknowledged steps are lost; undefined where nobody knows. */
  readonly lost: number | undefined;
  /** How old that knowledge was when the agent's host was missed, ms; older logs do not say. */
  readonly knownAgeMs?: number | undefined;
  /** Wall clock of the leader that wrote it down, ms since 1970: for people only; older logs do not say. */
  readonly atMs?: number | undefined;
  /** Nothing is decided about the agent until every host of an earlier epoch must have stopped; older logs do not wait. */
  readonly fenced?: boolean | undefined;
}

/** Log index of the last decision by which it may have gone on from an older step than its last; undefined: never. */
export function wentOnAt(agent: { loss?: AgentLoss | undefined; wentOnAt?: number | undefined }): number | undefined {
  const index = Math.max(agent.loss?.index ?? 0, agent.wentOnAt ?? 0);
  return index > 0 ? index : undefined;
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
  knownAgeMs?: number | undefined;
  /** So long no later step had been acknowledged then, ms. */
  idleMs?: number | undefined;
  fenced?: boolean | undefined;
  /** Log index of the decision before, if there was one: if another came meanwhile, this is void. */
  after?: number | undefined;
}

/** What is known of what was lost, in words. What nobody heard of in time may be lost as well. */
export function lostText({
  lost,
  knownAgeMs,
  idleMs,
}: Pick<AgentRecoverCommand, 'lost' | 'knownAgeMs' | 'idleMs'>): string {
  if (lost === undefined) return 'what was acknowledged after that step is lost, and nobody knows how much that is';
  const known =
    knownAgeMs === undefined ? 'and more where that was not heard of in time' : `as known ${agoText(knownAgeMs)}`;
  if (lost > 0) return `at least ${lost} acknowledged ${lost === 1 ? 'step is' : 'steps are'} lost, ${known}`;
  const idle =
    idleMs === undefined || idleMs < idleMsMin ? '' : `; the agent had been idle for ${secondsOf(idleMs)} s then`;
  return `no acknowledged step is known to be lost, ${known}${idle}`;
}

const idleMsMin = 1_000;
const secondsOf = (ms: number): string => (ms / 1_000).toFixed(1);

/** How old knowledge of an agent was when its host was missed, in words. */
export const agoText = (ms: number): string => `${secondsOf(ms)} s before its host was missed`;

/** Whether an operator decided about the agent since it was placed: then it is placed anew. */
export const isOvertaken = ({
  placement,
  loss,
}: {
  placement?: { epoch: number } | undefined;
  loss?: AgentLoss | undefined;
}): boolean => loss !== undefined && placement !== undefined && placement.epoch < loss.index;
