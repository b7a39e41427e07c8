import type { AppendReply, AppendRequest } from './message.ts';
import type { State } from './state.ts';

/**
 * Takes the present leader's entries into a follower's log (paper, 5.3) and says what to answer. Only what contradicts
 * the leader is cut off, so requests that come twice or late do no harm. `undefined`, state unchanged: the request
 * contradicts what is committed, which no leader's does.
 */
export function acceptAppend(state: State, request: AppendRequest): AppendReply | undefined {
  const { log } = state;
  const answer = { term: state.term, round: request.round, matchIndex: 0, conflictIndex: 0, conflictTerm: 0 };
  const matchIndex = request.previousIndex + request.entries.length;
  if (request.previousIndex < log.base.index) {
    // What a snapshot covers is committed: every leader's log holds the same.
    if (matchIndex <= log.base.index) return { ...answer, success: true, matchIndex };
    const covered = log.base.index - request.previousIndex;
    if (request.entries[covered - 1]?.term !== log.base.term) return undefined;
    const { index: previousIndex, term: previousTerm } = log.base;
    return acceptAppend(state, { ...request, previousIndex, previousTerm, entries: request.entries.slice(covered) });
  }
  const presentTerm = log.termAt(request.previousIndex);
  if (presentTerm === undefined) return { ...answer, success: false, conflictIndex: log.lastIndex + 1 };
  if (presentTerm !== request.previousTerm) {
    if (request.previousIndex <= state.commitIndex) return undefined;
    // The whole term is skipped at once: one round trip per term, not per entry.
    const conflictIndex = log.firstIndexOfTermAt(request.previousIndex);
    return { ...answer, success: false, conflictIndex, conflictTerm: presentTerm };
  }
  const firstNew = request.entries.findIndex((entry) => log.termAt(entry.index) !== entry.term);
  if (firstNew >= 0) {
    const entries = request.entries.slice(firstNew);
    const index = request.previousIndex + firstNew + 1;
    if (index <= state.commitIndex) return undefined;
    if (index <= log.lastIndex) state.truncateFrom(index);
    state.append(entries);
  }
  // What lies behind `matchIndex` may be of another leader: it does not become committed by this.
  state.commitTo(Math.min(request.commitIndex, matchIndex));
  return { ...answer, success: true, matchIndex };
}
