import type { Serial } from '../../consensus/sessions.ts';
import { lostText } from './agent-loss.ts';
import type { Decisions } from './decisions.ts';
import { type ConclaveError, errors, toErrorBody } from './errors.ts';
import type { Fences } from './fences.ts';
import type { HolderBoard } from './holder-board.ts';
import type { Operation, Outcome } from './operation.ts';

type RecoverOperation = Extract<Operation, { type: 'recoverAgent' }>;

/** Does what an operator decided, if it is still as he saw it. Answers when the log holds it. */
export function recoverAgent(
  { agent: id, from, epoch, sequence }: RecoverOperation,
  { decisions, board, fences, by }: { decisions: Decisions; board: HolderBoard; fences: Fences; by: Serial },
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
    return refuse(errors.checkpointChanged({ agent: id, now }));
  }
  const { missing, last } = stuck;
  const lost = last?.epoch === epoch ? Math.max(0, last.sequence - sequence) : undefined;
  const known = last?.epoch === epoch ? { knownAgeMs: last.ageMs, idleMs: last.idleMs } : {};
  const step = { agent: id, active: agent.active.epoch, from: chosen.node, epoch, sequence };
  const draft = {
    kind: 'agentRecover' as const,
    ...step,
    missing: missing.map(({ node }) => node),
    lost,
    ...known,
    fenced: true,
    after: agent.loss?.index,
    by,
  };
  decisions.propose(draft, (result) => {
    if (!result.ok) return answer(result);
    const now = decisions.state.agents.get(id);
    const waits = now && fences.of(now);
    const text = waits === undefined ? lostText(draft) : `${lostText(draft)}; ${waits.text}`;
    const told = { agent: id, from: chosen.node, epoch, sequence, missing: draft.missing, lost, ...known, waits, text };
    answer({ ok: true, result: told });
  });
}
