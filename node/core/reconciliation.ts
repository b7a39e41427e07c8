import { type BranchEntry, isOpen, mergeTaskOf, whyNoAncestor } from './branch.ts';
import { type BranchCopy, doneOn } from './branch-copy.ts';
import type { BranchStore } from './branch-store.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Hosting } from './hosting.ts';
import type { Instance } from './instance.ts';
import { decodeMailbox } from './mailbox.ts';
import type { BranchRecord, Checkpoint, MessageOf, NodeId, TaskResult } from './message.ts';
import { replicatedBytesMax } from './settings.ts';
import { fromBytes, toBytes } from './text.ts';

type Done = Pick<MessageOf<'branchDone'>, 'outcome' | 'reason' | 'steps'>;

/** One branch on its way into an agent's history, or beside it. */
interface Work {
  instance: Instance;
  id: string;
  number: number;
  sinceMs: number;
  record: BranchRecord | undefined;
  checkpoint: Checkpoint | undefined;
  asked: number;
  askedMs: number;
  isMerging: boolean;
  done: Done | undefined;
}

const fastForwarded = toBytes('{"outcome":"fastForwarded"}');

/**
 * Takes what branches did into the histories of the agents that run here, one branch of each at a time. The step that
 * takes one in is a task of the agent under an id made of the branch's: whoever begins anew after a failure finds by it
 * what is done already.
 */
export class Reconciliation {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #hosting: Hosting;
  readonly #store: BranchStore;
  readonly #tell: (done: MessageOf<'branchDone'>) => void;
  readonly #works = new Map<string, Work>();
  /** Branches that no keeper handed over lately, and when that was given up; bounded by what the log lists. */
  readonly #outOfReach = new Map<string, number>();

  constructor(init: {
    context: Context;
    state: ClusterState;
    hosting: Hosting;
    store: BranchStore;
    /** For the leader. */
    tell: (done: MessageOf<'branchDone'>) => void;
  }) {
    this.#context = init.context;
    this.#state = init.state;
    this.#hosting = init.hosting;
    this.#store = init.store;
    this.#tell = init.tell;
  }

  tick(): void {
    for (const instance of this.#hosting.own()) {
      if (instance.assignment.partition !== 'autonomous') continue;
      const { agent } = instance.assignment;
      const record = this.#state.agents.get(agent);
      const open = record?.branches?.filter(isOpen) ?? [];
      if (record === undefined || open.length === 0 || !instance.isActive) this.#works.delete(agent);
      else this.#look(record, instance, open);
    }
    for (const [agent, { instance }] of this.#works) if (instance.hasEnded) this.#works.delete(agent);
    const { nowMs } = this.#context;
    for (const [name, atMs] of this.#outOfReach) if (nowMs - atMs >= againMs) this.#outOfReach.delete(name);
  }

  #look(agent: AgentRecord, instance: Instance, open: readonly BranchEntry[]): void {
    const { nowMs, settings } = this.#context;
    let work = this.#works.get(agent.id);
    if (work !== undefined && work.asked > triesOf(work, open)) {
      // Nobody who keeps it is in reach: the others need not wait for that.
      this.#outOfReach.set(nameOf(agent.id, work), nowMs);
      work = undefined;
    }
    const isWaiting = (one: BranchEntry): boolean =>
      nowMs - (this.#outOfReach.get(nameOf(agent.id, one)) ?? Number.NEGATIVE_INFINITY) < againMs;
    const ready = open.filter((one) => !isWaiting(one));
    const entry = open.find(({ id, number }) => id === work?.id && number === work.number) ?? nextOf(ready);
    if (entry === undefined) {
      this.#works.delete(agent.id);
      return;
    }
    if (work?.instance !== instance || work.id !== entry.id || work.number !== entry.number) {
      work = {
        ...{ instance, id: entry.id, number: entry.number, sinceMs: nowMs, record: undefined, checkpoint: undefined },
        ...{ asked: 0, askedMs: Number.NEGATIVE_INFINITY, isMerging: false, done: undefined },
      };
      this.#works.set(agent.id, work);
    }
    if (nowMs - work.sinceMs < settings.reconcileAfterMs || nowMs - work.askedMs < settings.holderRetryMs) return;
    this.#goOn(agent, entry, work);
  }

  #goOn(agent: AgentRecord, entry: BranchEntry, work: Work): void {
    work.askedMs = this.#context.nowMs;
    const { instance } = work;
    const task = mergeTaskOf(entry.id, entry.number);
    if (work.done !== undefined) {
      this.#tell({ agent: agent.id, branch: entry.id, number: entry.number, ...work.done });
      return;
    }
    if (work.isMerging && instance.merges.has(task)) return;
    work.isMerging = false;
    const known = instance.merges.result(task);
    if (known !== undefined && known.tries === undefined && known.aside === undefined) {
      work.isMerging = true;
      instance.merges.afterStep(known.sequence, () => this.#end(agent.id, work, doneBy(known, entry)));
      return;
    }
    const later = agent.branches?.find((other) => isTakenIn(other, entry) && other.numbers?.includes(entry.number));
    if (later !== undefined) {
      const reason = 'the branch went on from it, and that is taken in';
      return this.#end(agent.id, work, { outcome: 'contained', reason, steps: later.end?.steps ?? 0 });
    }
    if (work.record === undefined || work.checkpoint === undefined) return this.#fetch(agent.id, entry, work);
    this.#reconcile(agent, entry, work, copyOf(work.record, work.checkpoint));
  }

  // ---- what a keeper has ----

  #fetch(agent: string, { id, keepers }: BranchEntry, work: Work): void {
    const { self, out } = this.#context;
    const kept = this.#store.get(agent, id);
    const own = kept && this.#store.copy(kept.key);
    if (kept !== undefined && own?.epoch === work.number) {
      const checkpoint = { ...own, state: own.state.bytes() };
      return this.#found(agent, work, { record: kept.record, checkpoint });
    }
    const keeper = keepers.filter((node) => node !== self)[work.asked % Math.max(1, keepers.length)] ?? keepers[0];
    work.asked += 1;
    if (keeper === undefined || keeper === self) return;
    for (const base of [true, false])
      out.sendUrgent(keeper, { type: 'branchFetch', body: { agent, branch: id, base } });
  }

  onCopy(from: NodeId, { agent, branch, record, checkpoint }: MessageOf<'branchCopy'>): void {
    const work = this.#works.get(agent);
    const keepers = this.#entryOf(agent, work)?.keepers ?? [];
    if (work === undefined || work.id !== branch || !keepers.includes(from)) return;
    if (checkpoint !== undefined && checkpoint.epoch !== work.number) return;
    this.#found(agent, work, { record: record ?? work.record, checkpoint: checkpoint ?? work.checkpoint });
  }

  #entryOf(agent: string, work: Work | undefined): BranchEntry | undefined {
    const { branches } = this.#state.agents.get(agent) ?? {};
    return branches?.find(({ id, number }) => id === work?.id && number === work.number);
  }

  #found(agent: string, work: Work, { record, checkpoint }: Pick<Work, 'record' | 'checkpoint'>): void {
    if (work.isMerging || work.done !== undefined) return;
    if (record !== undefined && isReadable(record.baseState)) work.record = record;
    if (checkpoint !== undefined && isReadable(checkpoint.state)) work.checkpoint = checkpoint;
    const entry = this.#entryOf(agent, work);
    const known = this.#state.agents.get(agent);
    if (work.record === undefined || work.checkpoint === undefined || entry === undefined || known === undefined)
      return;
    if (work.instance.isActive) this.#reconcile(known, entry, work, copyOf(work.record, work.checkpoint));
  }

  // ---- what becomes of it ----

  #reconcile(agent: AgentRecord, entry: BranchEntry, work: Work, copy: BranchCopy): void {
    const { instance } = work;
    const steps = Math.max(0, instance.merges.sequence - copy.base.sequence);
    const end = (outcome: Done['outcome'], reason: string): void =>
      this.#end(agent.id, work, { outcome, reason, steps });
    if (this.#isContained(agent, entry, copy, instance)) {
      const last = doneOn(copy).map(({ task }) => instance.merges.result(task)?.sequence ?? 0);
      work.isMerging = true;
      return instance.merges.afterStep(Math.max(0, ...last), () =>
        end('contained', 'all of it is known from another part of the branch'),
      );
    }
    const strange = whyNoAncestor(agent.lineage ?? [], copy.base, instance.merges.sequence);
    if (strange !== undefined) return end('forked', `no common base: ${strange}`);
    const { version } = instance.merges;
    // It goes on from what another version wrote, and no step tells of that yet: asked again in a while.
    if (version === undefined) return;
    const other = [copy.baseState, copy.state]
      .map((state) => decodeMailbox(state).version)
      .find((is) => is !== version);
    if (other !== undefined) {
      return end('forked', `version ${other} of its code wrote it, and the agent is at version ${version}`);
    }
    if (copy.sequence <= copy.base.sequence) return end('contained', 'nothing was done on it');
    if (!this.#remembersOthers(agent, entry, instance)) return end('forked', othersForgotten);
    if (instance.merges.mayFastForward(copy)) {
      const wrong = instance.merges.fastForward(copy, fastForwarded, () =>
        end('fastForwarded', 'the majority had done nothing meanwhile'),
      );
      work.isMerging = wrong === undefined;
      if (wrong !== undefined) end('forked', `it cannot be taken over: ${wrong}`);
      return;
    }
    work.isMerging = true;
    instance.merges.begin(copy, ({ ok, refusal, value }) => {
      if (refusal === 'agentNotReady' || refusal === 'backlogFull') work.isMerging = false;
      else if (ok && refusal === '') end('merged', 'by the merge function of its code');
      else end('forked', refusal === '' ? reasonIn(value) : `its merge function ended what ran it: ${reasonIn(value)}`);
    });
  }

  /** Another part of the same branch is in already, and this one has nothing that is not. */
  #isContained(
    { branches = [] }: AgentRecord,
    { id, number }: BranchEntry,
    copy: BranchCopy,
    instance: Instance,
  ): boolean {
    return branches.some((other) => isTakenIn(other, { id, number })) && instance.merges.knowsAllOf(copy);
  }

  /** Whether it is known what came with other parts of the branch, so that nothing of that is counted once more. */
  #remembersOthers(
    { branches = [], branchesBelow }: AgentRecord,
    entry: BranchEntry,
    { merges }: Pick<Instance, 'merges'>,
  ): boolean {
    const others = branches.filter((other) => isTakenIn(other, entry));
    if (others.length === 0) return branchesBelow === undefined || entry.base.sequence > branchesBelow;
    return others.every(({ base, end }) => merges.remembersSince(base.sequence + (end?.steps ?? 0)));
  }

  #end(agent: string, work: Work, done: Done): void {
    work.isMerging = false;
    if (this.#works.get(agent) !== work) return;
    work.done = done;
    work.askedMs = this.#context.nowMs;
    this.#tell({ agent, branch: work.id, number: work.number, ...done });
  }
}

/** Another part of the same branch is in, whole. */
const isTakenIn = (other: BranchEntry, { id, number }: Pick<BranchEntry, 'id' | 'number'>): boolean =>
  other.id === id && other.number !== number && other.end !== undefined && other.end.outcome !== 'forked';

const othersForgotten =
  'another part of it was taken in, and so much was done since that it is not known any more what the two have in common';

/** A branch whose keepers are all out of reach is tried again after this. */
const againMs = 5_000;

const nameOf = (agent: string, { id, number }: { id: string; number: number }): string => `${agent} ${id} ${number}`;

/** How often the keepers of a branch are asked in a row. */
function triesOf({ id, number }: Work, open: readonly BranchEntry[]): number {
  return 2 + 2 * (open.find((one) => one.id === id && one.number === number)?.keepers.length ?? 0);
}

/** Of one branch the part with the highest number comes first: the others are contained in it, as a rule. */
function nextOf(open: readonly BranchEntry[]): BranchEntry | undefined {
  const [first] = open;
  return open.filter(({ id }) => id === first?.id).sort((a, b) => b.number - a.number)[0];
}

function copyOf(record: BranchRecord, checkpoint: Checkpoint): BranchCopy {
  return {
    branch: record.branch,
    number: checkpoint.epoch,
    base: { epoch: record.baseEpoch, sequence: record.baseSequence, checksum: record.baseChecksum },
    baseState: record.baseState,
    sequence: checkpoint.sequence,
    state: checkpoint.state,
    results: checkpoint.results,
  };
}

function isReadable(state: Uint8Array): boolean {
  try {
    return state.byteLength <= replicatedBytesMax && decodeMailbox(state).length >= 0;
  } catch {
    return false;
  }
}

function doneBy({ ok, value, sequence, cancelled }: TaskResult, { base }: BranchEntry): Done {
  const steps = Math.max(0, sequence - base.sequence - 1);
  if (!ok || cancelled === true) return { outcome: 'forked', reason: reasonIn(value), steps };
  const outcome = fromBytes(value).includes('fastForwarded') ? 'fastForwarded' : 'merged';
  return { outcome, reason: 'an earlier host took it in', steps };
}

function reasonIn(value: Uint8Array): string {
  try {
    return String((JSON.parse(fromBytes(value)) as { reason?: unknown }).reason).slice(0, 1_000);
  } catch {
    return 'no reason given';
  }
}
