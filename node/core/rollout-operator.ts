import type { Serial } from '../../consensus/sessions.ts';
import type { Result } from './applied.ts';
import type { Decisions } from './decisions.ts';
import { errors, toErrorBody } from './errors.ts';
import type { Operation, Outcome } from './operation.ts';
import { typeView } from './type-views.ts';

type RolloutOperation = Extract<Operation, { type: 'upgrade' | 'cancelUpgrade' }>;

const maxFailuresDefault = 2;
const settleMsDefault = 10_000;

export const isRollout = (operation: Operation): operation is RolloutOperation =>
  operation.type === 'upgrade' || operation.type === 'cancelUpgrade';

/** Begins a rollout, or has it go back. Answers at once: how far it has come is to be asked for. */
export function changeRollout(
  decisions: Decisions,
  operation: RolloutOperation,
  by: Serial,
  done: (outcome: Outcome) => void,
): void {
  const { agentType: type } = operation;
  const onResult = (result: Result): void => {
    if (!result.ok) return done(result);
    const record = decisions.state.types.get(type);
    if (record === undefined) done({ ok: false, error: toErrorBody(errors.typeUnknown({ type })) });
    else done({ ok: true, result: { type: typeView(decisions.state, record) } });
  };
  if (operation.type === 'cancelUpgrade') {
    decisions.propose({ kind: 'rolloutTurn', type, reason: 'an operator cancelled it', by }, onResult);
    return;
  }
  const { request, source, interpreter, container, previous } = operation;
  const { maxFailures = maxFailuresDefault, settleMs = settleMsDefault } = operation;
  const code = { source, interpreter, container, previous };
  decisions.propose({ kind: 'rolloutBegin', type, request, ...code, maxFailures, settleMs, by }, onResult);
}
