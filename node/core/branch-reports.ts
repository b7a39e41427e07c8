import { type BranchCommand, branchPattern, isBranchKey } from './branch.ts';
import { findBranch } from './branch-apply.ts';
import { doneOn } from './branch-copy.ts';
import type { BranchStore, KeptBranch } from './branch-store.ts';
import { type Context, reportLocally } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { MessageOf, NodeId } from './message.ts';

const tellIntervalMs = 500;
const saidMax = 1_000;

/**
 * After the heal: keepers tell the leader of the branches that they keep until the log has taken them up, and forget each
 * when the log says that all of it is in the majority's history. The leader writes down what it is told.
 */
export class BranchReports {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #store: BranchStore;
  readonly #tell: (body: MessageOf<'branchTold'>) => void;
  readonly #toldMs = new Map<string, number>();
  readonly #proposed = new Set<string>();
  /** Agents that have too many, as was said. */
  readonly #said = new Set<string>();

  constructor(
    context: Context,
    decisions: Decisions,
    store: BranchStore,
    tell: (body: MessageOf<'branchTold'>) => void,
  ) {
    this.#context = context;
    this.#decisions = decisions;
    this.#store = store;
    this.#tell = tell;
  }

  // ---- a keeper ----

  tick(): void {
    if (this.#store.size === 0) return;
    for (const kept of this.#store.all()) if (kept.closed) this.#look(kept);
  }

  #look(kept: KeptBranch): void {
    const { key, record, number, sequence } = kept;
    const { self, nowMs } = this.#context;
    const agent = this.#decisions.state.agents.get(record.agent);
    // A node that starts again reads the log from before the agent was there.
    const isDeleted = agent?.created !== record.created && this.#decisions.state.index >= record.created;
    const end = findBranch(agent, record.branch, number)?.end;
    // What was acknowledged is on every keeper. Without a step of its own it may have told of those that it began with.
    const isEmpty = number === 0;
    if (isDeleted || isEmpty || (end !== undefined && end.outcome !== 'forked')) {
      this.#toldMs.delete(key);
      this.#store.forget(key);
      return;
    }
    const entry = findBranch(agent, record.branch, number);
    if (end !== undefined || (entry?.keepers.includes(self) && entry.sequence >= sequence)) return;
    if (nowMs - (this.#toldMs.get(key) ?? Number.NEGATIVE_INFINITY) < tellIntervalMs) return;
    this.#toldMs.set(key, nowMs);
    this.#tell(this.#told(kept));
  }

  #told({ key, record, number, numbers, sequence }: KeptBranch): MessageOf<'branchTold'> {
    const { agent, branch, created, baseEpoch, baseSequence, baseChecksum, host, sinceMs, untilMs } = record;
    const results = this.#store.copy(key)?.results ?? [];
    const base = { epoch: baseEpoch, sequence: baseSequence, checksum: baseChecksum };
    const tasks = doneOn({ base, results }).length;
    return {
      ...{ agent, branch, created, number, numbers, sequence, baseEpoch, baseSequence, baseChecksum },
      ...{ host, sinceMs, untilMs, tasks },
    };
  }

  // ---- the leader ----

  onTold(from: NodeId, told: MessageOf<'branchTold'>): void {
    const { agent, branch: id, created, number, numbers, sequence, host, sinceMs, untilMs, tasks } = told;
    if (isBranchKey(agent) || !branchPattern.test(id)) return;
    const base = { epoch: told.baseEpoch, sequence: told.baseSequence, checksum: told.baseChecksum };
    const branch = { id, number, numbers, base, sequence, host, sinceMs, untilMs, tasks };
    this.#propose(`${from} ${agent} ${id} ${number}`, { kind: 'branchFound', agent, created, keeper: from, branch });
  }

  /** The agent's host says what became of it. */
  onDone(from: NodeId, done: MessageOf<'branchDone'>): void {
    const { agent, branch, number, reason, steps } = done;
    if (this.#decisions.state.agents.get(agent)?.placement?.host !== from) return;
    const outcome = done.outcome as Extract<BranchCommand, { kind: 'branchEnd' }>['outcome'];
    this.#propose(`${agent} ${branch} ${number}`, { kind: 'branchEnd', agent, branch, number, outcome, reason, steps });
  }

  #propose(name: string, command: Exclude<BranchCommand, { kind: 'forkDelete' }>): void {
    if (!this.#decisions.isReady() || this.#proposed.has(name)) return;
    this.#proposed.add(name);
    this.#decisions.propose(command, (result) => {
      this.#proposed.delete(name);
      if (result.ok || !result.error.message.includes('delete forks first')) return;
      if (this.#said.has(command.agent) || this.#said.size >= saidMax) return;
      this.#said.add(command.agent);
      reportLocally(this.#context, 'branchWaits', `a branch waits at its keeper: ${result.error.message}`, {
        agent: command.agent,
      });
    });
  }
}
