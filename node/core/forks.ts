import { findBranch } from './branch-apply.ts';
import { ownPart, wantedBy } from './branch-copy.ts';
import type { BranchStore } from './branch-store.ts';
import type { ClusterState } from './cluster-state.ts';
import { errors, toErrorBody } from './errors.ts';
import type { Operation, Outcome } from './operation.ts';

/**
 * What this node keeps of a fork: the agent's own state where it parted, and where it came to; and what its tasks wanted to
 * send and when they wanted to be woken, which never left.
 */
export function readFork(
  state: ClusterState,
  store: BranchStore,
  { agent, fork, number }: Extract<Operation, { type: 'fork' }>,
): Outcome<'fork'> {
  const record = state.agents.get(agent);
  if (record === undefined) return { ok: false, error: toErrorBody(errors.agentUnknown({ agent })) };
  const branch = findBranch(record, fork, number);
  if (branch?.end?.outcome !== 'forked') return { ok: false, error: toErrorBody(errors.forkUnknown({ agent, fork })) };
  const kept = store.get(agent, fork);
  const copy = kept?.number === number ? store.copy(kept.key) : undefined;
  if (kept === undefined || copy === undefined) {
    return { ok: false, error: toErrorBody(errors.forkOutOfReach({ agent, fork, keepers: branch.keepers })) };
  }
  const { baseState } = kept.record;
  const whole = copy.state.bytes();
  // A mailbox has its limits, and so have these.
  const wanted = wantedBy(baseState, whole);
  const [base, own] = [ownPart(baseState).slice(), ownPart(whole).slice()];
  return { ok: true, result: { agent, fork, number, base, state: own, ...wanted, branch } };
}
