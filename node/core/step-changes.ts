import type { AgentState, StepChanges } from './agent-state.ts';
import type { Mail } from './mail.ts';
import type { Mailbox } from './mailbox.ts';
import type { StateUpdate } from './state-change.ts';
import { whatIsTooLarge } from './step-size.ts';

/** What a runner says of a task that is over. */
export interface Ran {
  task: string;
  ok: boolean;
  value: Uint8Array;
  update: StateUpdate;
  /** What the task leads to beside the state, as its code gave it. */
  outputs: Uint8Array | undefined;
}

/**
 * What the next step changes, by what a runner said of a task. `wrong`: that is of another state; another text: it cannot
 * be kept, and why. `sequence`: of the next step; `mailbox`: what is under way then, if the task itself says nothing of it.
 */
export function changesBy(
  { task, ok, value, update, outputs }: Ran,
  {
    state,
    mail,
    sequence,
    mailbox,
    mayGrow,
  }: { state: AgentState; mail: Mail; sequence: number; mailbox: Mailbox | string | undefined; mayGrow: boolean },
): StepChanges | string {
  const own = state.changeIn(update, ok);
  if (own === 'wrong') return own;
  const after = mailbox ?? mail.afterTask(sequence, task, ok ? outputs : undefined);
  if (typeof after === 'string') return after;
  const version = ok ? state.turnedTo : undefined;
  return whatIsTooLarge(value, state.lengthAfter(own), mayGrow) ?? { own, mailbox: after, version };
}
