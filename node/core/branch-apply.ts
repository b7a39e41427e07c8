import { type Applied, done, refuse } from './applied.ts';
import { type BranchCommand, type BranchEntry, branchOutcomes, isFork, isOpen } from './branch.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import { errors } from './errors.ts';
import { limits } from './settings.ts';

type Appliers = {
  [K in BranchCommand['kind']]: (
    state: ClusterState,
    command: Extract<BranchCommand, { kind: K }>,
    index: number,
  ) => Applied;
};

const isSame = (entry: BranchEntry, id: string, number: number): boolean => entry.id === id && entry.number === number;

export const findBranch = (agent: AgentRecord | undefined, id: string, number: number): BranchEntry | undefined =>
  agent?.branches?.find((entry) => isSame(entry, id, number));

/** Those that are to be reconciled and the forks all stay; of the others the latest. */
function bounded(
  { branchesBelow }: AgentRecord,
  branches: readonly BranchEntry[],
): Pick<AgentRecord, 'branches' | 'branchesBelow'> {
  const over = branches.filter((entry) => !isOpen(entry) && !isFork(entry));
  const dropped = new Set(over.slice(0, Math.max(0, over.length - limits.branchesEndedMax)));
  if (dropped.size === 0) return { branches };
  const below = Math.max(branchesBelow ?? 0, ...[...dropped].map(({ base }) => base.sequence));
  return { branches: branches.filter((entry) => !dropped.has(entry)), branchesBelow: below };
}

/** What a branch leads to in the state. */
export const branchAppliers: Appliers = {
  branchFound(state, { agent: id, created, keeper, branch }) {
    const agent = state.agents.get(id);
    if (agent?.created !== created) return refuse(`there is no agent ${id} of that creation any more`);
    const branches = agent.branches ?? [];
    const known = findBranch(agent, branch.id, branch.number);
    if (known?.end !== undefined) return refuse('that branch has ended');
    if (known !== undefined && known.keepers.includes(keeper) && known.sequence >= branch.sequence)
      return refuse('that is known of the branch');
    const kept = branches.filter((entry) => isOpen(entry) || isFork(entry)).length;
    if (known === undefined && kept >= limits.branchesMax)
      return refuse(`${id} has ${kept} branches and forks: delete forks first`);
    const keepers = [...new Set([...(known?.keepers ?? []), keeper])].slice(0, limits.membersMax);
    const newest = known === undefined || branch.sequence > known.sequence ? branch : known;
    const entry: BranchEntry = { ...newest, keepers };
    const others = branches.filter((other) => other !== known);
    state.changeAgent(agent, bounded(agent, [...others, entry]));
    const { number, base, sequence, tasks, sinceMs, untilMs } = entry;
    const text = `a branch of ${id} was found: ${tasks} tasks on the side without a majority`;
    return done(
      'branchFound',
      text,
      { agent: id, branch: branch.id, number, base, sequence, tasks, sinceMs, untilMs, keeper },
      [id],
    );
  },

  branchEnd(state, { agent: id, branch, number, outcome, reason, steps }, index) {
    const agent = state.agents.get(id);
    const entry = findBranch(agent, branch, number);
    if (agent === undefined || entry === undefined) return refuse(`there is no such branch of ${id}`);
    if (entry.end !== undefined) return refuse('that branch has ended');
    if (!branchOutcomes.includes(outcome)) return refuse(`no branch ends as ${String(outcome)}`);
    const end = { outcome, reason, steps, index };
    const branches = (agent.branches ?? []).map((other) => (other === entry ? { ...entry, end } : other));
    state.changeAgent(agent, bounded(agent, branches));
    const { tasks } = entry;
    const details = { agent: id, branch, number, outcome, reason, tasks, steps };
    return done('branchEnded', `branch ${branch} of ${id} ${outcome}: ${reason}`, details, [id]);
  },

  forkDelete(state, { agent: id, branch, number }, index) {
    const agent = state.agents.get(id);
    const entry = findBranch(agent, branch, number);
    if (agent === undefined) return { ok: false, error: errors.agentUnknown({ agent: id }) };
    if (entry === undefined || !(isFork(entry) || isOpen(entry)))
      return { ok: false, error: errors.forkUnknown({ agent: id, fork: branch }) };
    const end = { outcome: 'contained' as const, reason: 'deleted by an operator', steps: 0, index };
    const branches = (agent.branches ?? []).map((other) => (other === entry ? { ...entry, end } : other));
    state.changeAgent(agent, bounded(agent, branches));
    return done('forkDeleted', `branch ${branch} of ${id} deleted`, { agent: id, branch, number }, [id]);
  },
};
