import { findBranch } from './branch-apply.ts';
import { ownPart } from './branch-copy.ts';
import type { BranchStore } from './branch-store.ts';
import type { ClusterState } from './cluster-state.ts';
import { errors, toErrorBody } from './errors.ts';
import type { Operation, Outcome } from './operation.ts';

/** What this node keeps of a fork: the agent's own state where it parted, and where it came to. */
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
  const base = ownPart(kept.record.baseState).slice();
  return { ok: true, result: { agent, fork, number, base, state: ownPart(copy.state.bytes()).slice(), branch } };
}
