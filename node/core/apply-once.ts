import type { Applied, Result } from './applied.ts';
import { apply } from './apply.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Command } from './command.ts';
import { errors, toErrorBody } from './errors.ts';

/** What is to be told of a command at its place in the log. `news`: what it did; nothing when it changed nothing. */
export interface Decided {
  result: Result;
  news?: Extract<Applied, { ok: true }>;
}

/**
 * Applies a command, or answers one that was decided before as it was answered then. Pure, as `apply` is: the state
 * knows the sessions. A command of a session that is over, or of which it has forgotten the outcome, has no effect.
 */
export function applyOnce(state: ClusterState, command: Command, index: number): Decided {
  const { by } = command;
  if (by === undefined) return decide(state, command, index);
  const standing = state.sessions.begin(by, index);
  if (standing.kind === 'done') return { result: standing.result };
  if (standing.kind === 'expired')
    return { result: { ok: false, error: toErrorBody(errors.outcomeUnknown({ what: 'command' })) } };
  const decided = decide(state, command, index);
  state.sessions.end(by, decided.result);
  return decided;
}

function decide(state: ClusterState, command: Command, index: number): Decided {
  if (command.kind === 'outcome') {
    const { error } = command;
    return { result: error === undefined ? { ok: true, index, agents: [] } : { ok: false, error } };
  }
  const applied = apply(state, command, index);
  if (!applied.ok) return { result: { ok: false, error: toErrorBody(applied.error) } };
  return { result: { ok: true, index, agents: applied.agents }, news: applied };
}
