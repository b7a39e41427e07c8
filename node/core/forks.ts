import { isFork } from './branch.ts';
import { findBranch } from './branch-apply.ts';
import { ownPart, wantedBy } from './branch-copy.ts';
import type { BranchStore } from './branch-store.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Decisions } from './decisions.ts';
import { errors, toErrorBody } from './errors.ts';
import type { NodeId } from './message.ts';
import type { Operation, Outcome } from './operation.ts';

type ForkOperation = Extract<Operation, { type: 'fork' }>;

/** This node, and to whom it is connected. */
export interface Reach {
  self: NodeId;
  isConnected(this: void, node: NodeId): boolean;
}

/** Who can tell of a fork, this node if no keeper is in reach; undefined where the log has none, as far as it is known here. */
export function keeperOf(
  { agents }: Pick<ClusterState, 'agents'>,
  store: Pick<BranchStore, 'get'>,
  { self, isConnected }: Reach,
  { agent, fork, number }: ForkOperation,
): NodeId | undefined {
  const branch = findBranch(agents.get(agent), fork, number);
  if (branch === undefined || !isFork(branch)) return undefined;
  return store.get(agent, fork) === undefined ? (branch.keepers.find(isConnected) ?? self) : self;
}

/** Tells of a fork. Only the leader knows that there is none, and only while it leads: others may not have heard of it yet. */
export function askFork(
  decisions: Pick<Decisions, 'state' | 'mayLead' | 'read'>,
  store: Pick<BranchStore, 'get' | 'copy'>,
  operation: ForkOperation,
  done: (outcome: Outcome<'fork'>) => void,
): void {
  const isUnknown = (outcome: Outcome<'fork'>): boolean =>
    !outcome.ok && (outcome.error.code === 'forkUnknown' || outcome.error.code === 'agentUnknown');
  const read = (): Outcome<'fork'> => readFork(decisions.state, store, operation);
  const first = read();
  if (!isUnknown(first)) return done(first);
  const { agent } = operation;
  const notReady: Outcome<'fork'> = { ok: false, error: toErrorBody(errors.agentNotReady({ agent })) };
  if (!decisions.mayLead()) return done(notReady);
  decisions.read((leads) => done(leads ? read() : notReady));
}

/**
 * What this node keeps of a fork: the agent's own state where it parted, and where it came to; and what its tasks wanted to
 * send and when they wanted to be woken, which never left.
 */
function readFork(
  state: Pick<ClusterState, 'agents'>,
  store: Pick<BranchStore, 'get' | 'copy'>,
  { agent, fork, number }: ForkOperation,
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
