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

/**
 * Who can tell of a fork, this node if no keeper is in reach: of several each in turn, try by try, as one of them may have
 * lost it. Undefined where the log has none, as far as it is known here.
 */
export function keeperOf(
  { agents }: Pick<ClusterState, 'agents'>,
  store: Pick<BranchStore, 'get'>,
  { self, isConnected }: Reach,
  { agent, fork, number }: ForkOperation,
  tries: number,
): NodeId | undefined {
  const branch = findBranch(agents.get(agent), fork, number);
  if (branch === undefined || !isFork(branch)) return undefined;
  if (store.get(agent, fork)?.number === number) return self;
  const keepers = branch.keepers.filter(isConnected);
  return keepers[tries % keepers.length] ?? self;
}

/** Tells of a fork. Only the leader knows that there is none, and only while it leads: others may not have heard of it yet. */
export function askFork(
  decisions: Pick<Decisions, 'state' | 'mayLead' | 'read'>,
  store: Pick<BranchStore, 'get' | 'copy'>,
  isConnected: Reach['isConnected'],
  operation: ForkOperation,
  done: (outcome: Outcome<'fork'>) => void,
): void {
  const isUnknown = (outcome: Outcome<'fork'>): boolean =>
    !outcome.ok && (outcome.error.code === 'forkUnknown' || outcome.error.code === 'agentUnknown');
  const { agent, fork, number } = operation;
  const notReady: Outcome<'fork'> = { ok: false, error: toErrorBody(errors.agentNotReady({ agent })) };
  const read = (): Outcome<'fork'> => {
    const outcome = readFork(decisions.state, store, operation);
    if (outcome.ok || outcome.error.code !== 'forkOutOfReach') return outcome;
    // Whoever asked, and had not heard of the fork, can ask one of these.
    const { keepers = [] } = findBranch(decisions.state.agents.get(agent), fork, number) ?? {};
    return keepers.some(isConnected) ? notReady : outcome;
  };
  const first = read();
  if (!isUnknown(first)) return done(first);
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
