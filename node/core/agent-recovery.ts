import type { Serial } from '../../consensus/sessions.ts';
import { type Applied, done } from './applied.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Decisions } from './decisions.ts';
import { type ConclaveError, errors, toErrorBody } from './errors.ts';
import type { HolderBoard } from './holder-board.ts';
import { nameOf } from './member-name.ts';
import type { NodeId } from './message.ts';
import type { Operation, Outcome } from './operation.ts';

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
}

const changed = (agent: string, now: string): ConclaveError => errors.checkpointChanged({ agent, now });

/** Applies the decision; pure, as `apply` is. */
export function applyRecover(state: ClusterState, command: AgentRecoverCommand, index: number): Applied {
  const { agent: id, active: epochThen, from, epoch, sequence, missing, lost } = command;
  const agent = state.agents.get(id);
  if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
  const { active } = agent;
  if (active?.epoch !== epochThen) return { ok: false, error: errors.agentNotStuck({ agent: id }) };
  if (!state.isAlive(from)) return { ok: false, error: changed(id, `none at ${nameOf(state, from)}, which is gone`) };
  const loss: AgentLoss = { index, from, epoch, sequence, missing, lost };
  state.changeAgent(agent, { active: { ...active, holders: [from] }, loss });
  const names = missing.map((node) => nameOf(state, node)).join(', ');
  const text =
    `an operator let ${id} go on without ${names}, from step ${sequence} of epoch ${epoch} at ${nameOf(state, from)}; ` +
    lostText(lost);
  return done('agentRecovered', text, { agent: id, from, epoch, sequence, missing, lost }, [id]);
}

export function lostText(lost: number | undefined): string {
  if (lost === undefined) return 'what was acknowledged after that step is lost, and nobody knows how much that is';
  if (lost === 0) return 'it is the last step that is known to have been acknowledged';
  return `${lost} acknowledged ${lost === 1 ? 'step is' : 'steps are'} known to be lost`;
}

/** Whether an operator decided about the agent since it was placed: then it is placed anew. */
export const isOvertaken = ({ placement, loss }: AgentRecord): boolean =>
  loss !== undefined && placement !== undefined && placement.epoch < loss.index;

type RecoverOperation = Extract<Operation, { type: 'recoverAgent' }>;

/** Does what an operator decided, if it is still as he saw it. Answers when the log holds it. */
export function recoverAgent(
  { agent: id, from, epoch, sequence }: RecoverOperation,
  { decisions, board, by }: { decisions: Decisions; board: HolderBoard; by: Serial },
  answer: (outcome: Outcome) => void,
): void {
  const agent = decisions.state.agents.get(id);
  const refuse = (error: ConclaveError): void => {
    const told = toErrorBody(error);
    decisions.propose({ kind: 'outcome', error: told, by }, (result) =>
      answer(result.ok ? { ok: false, error: told } : result),
    );
  };
  if (agent === undefined) return refuse(errors.agentUnknown({ agent: id }));
  const stuck = board.stuck(agent);
  if (stuck === undefined || agent.active === undefined) return refuse(errors.agentNotStuck({ agent: id }));
  const chosen = from === undefined ? stuck.survivors[0] : stuck.survivors.find(({ node }) => node === from);
  if (chosen?.epoch !== epoch || chosen.sequence !== sequence) {
    const now = chosen === undefined ? 'none that answers' : `${chosen.epoch}:${chosen.sequence} at ${chosen.name}`;
    return refuse(changed(id, now));
  }
  const { missing, last } = stuck;
  const lost = last?.epoch === epoch ? Math.max(0, last.sequence - sequence) : undefined;
  const step = { agent: id, active: agent.active.epoch, from: chosen.node, epoch, sequence };
  const draft = { kind: 'agentRecover' as const, ...step, missing: missing.map(({ node }) => node), lost, by };
  decisions.propose(draft, (result) => {
    if (!result.ok) return answer(result);
    const told = { agent: id, from: chosen.node, epoch, sequence, missing: draft.missing, lost, text: lostText(lost) };
    answer({ ok: true, result: told });
  });
}
