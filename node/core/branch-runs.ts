import type { Assignment } from './assignment.ts';
import { branchKey, branchPattern, closedNumber, type StepName } from './branch.ts';
import type { BranchStore } from './branch-store.ts';
import type { ClusterState } from './cluster-state.ts';
import { type Context, reportLocally } from './context.ts';
import type { Holder } from './holder.ts';
import type { Hosting } from './hosting.ts';
import { Instance } from './instance.ts';
import type { InstanceEvents } from './instance-events.ts';
import type { BranchHere, BranchRecord, MessageOf, NodeId } from './message.ts';
import type { Found } from './recovery.ts';
import { limits } from './settings.ts';
import { StateBytes } from './state-bytes.ts';
import { codeIn, codeOf, versionOf } from './type-version.ts';

/** A branch that this node is ordered to run. */
interface Run {
  order: MessageOf<'branchOrder'>;
  /** Where it begins, once that is found. */
  record: BranchRecord | undefined;
  found: Found | undefined;
  /** Keepers that know of it. */
  kept: Set<NodeId>;
  instance: Instance | undefined;
  active: boolean;
  askedMs: number;
  asked: number;
}

/** The branches that run on this node: from the acting manager's order, by way of their keepers, to their end. */
export class BranchRuns {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #holder: Holder;
  readonly #hosting: Hosting;
  readonly #store: BranchStore;
  readonly #events: InstanceEvents;
  readonly #runs = new Map<string, Run>();

  constructor(init: {
    context: Context;
    state: ClusterState;
    holder: Holder;
    hosting: Hosting;
    store: BranchStore;
    events: InstanceEvents;
  }) {
    this.#context = init.context;
    this.#state = init.state;
    this.#holder = init.holder;
    this.#hosting = init.hosting;
    this.#store = init.store;
    this.#events = init.events;
  }

  /** The instance of an agent's branch that answers here. */
  instance(agent: string): Instance | undefined {
    for (const { order, instance, active } of this.#runs.values()) if (order.agent === agent && active) return instance;
    return undefined;
  }

  here(): BranchHere[] {
    return [...this.#runs.values()].map(({ order, active, instance, record }) => ({
      ...{
        agent: order.agent,
        branch: order.branch,
        number: order.number,
        keepers: order.keepers,
        active,
        closed: false,
      },
      ...{ sequence: instance?.merges.sequence ?? 0, runs: true },
      ...{ tasks: instance?.merges.doneSince(record?.baseSequence ?? 0) ?? 0, numbers: [], baseSequence: 0 },
    }));
  }

  /** The acting manager wants it to run here. */
  onOrder(order: MessageOf<'branchOrder'>): void {
    const key = branchKey(order.agent, order.branch);
    const run = this.#runs.get(key);
    if (!branchPattern.test(order.branch)) return;
    if (order.close) return this.close(key);
    if (order.sources.length === 0 && run !== undefined && run.order.number < order.number) return this.#end(key);
    const sealed = this.#holder.stepOf(key)?.sealedEpoch ?? 0;
    const agent = this.#state.agents.get(order.agent);
    if (sealed > order.number || (run?.order.number ?? 0) >= order.number || agent === undefined) return;
    if (!order.keepers.includes(this.#context.self) || order.sources.length === 0) return;
    for (const [other, { order: before }] of this.#runs) if (before.agent === order.agent) this.#end(other);
    if (this.#runs.size >= limits.branchesKeptMax) return;
    const next: Run = {
      ...{ order, record: undefined, found: undefined, kept: new Set<NodeId>(), instance: undefined, active: false },
      ...{ askedMs: Number.NEGATIVE_INFINITY, asked: 0 },
    };
    this.#runs.set(key, next);
    // What it begins from is what this instance is sure of now.
    if (order.fresh) next.found = this.#hosting.get(order.agent)?.base();
    this.#hosting.get(order.agent)?.suspend();
    this.#goOn(key, next);
  }

  /** It does not go on, here or elsewhere: what is kept of it waits for a majority. */
  close(key: string): void {
    this.#end(key);
    this.#store.close(key);
  }

  closeAll(): void {
    for (const key of [...this.#runs.keys()]) this.#end(key);
    for (const { key } of this.#store.all()) this.#store.close(key);
    this.#store.sweep();
  }

  #end(key: string): void {
    const run = this.#runs.get(key);
    if (run === undefined) return;
    this.#runs.delete(key);
    if (run.instance !== undefined) this.#hosting.release(run.instance);
    this.#hosting.get(run.order.agent)?.resume();
  }

  // ---- where it begins ----

  #goOn(key: string, run: Run): void {
    if (run.instance !== undefined) return;
    run.askedMs = this.#context.nowMs;
    if (run.record === undefined) this.#seek(key, run);
    if (run.record !== undefined) this.#tellKeepers(key, run, run.record);
  }

  #seek(key: string, run: Run): void {
    const { self, out } = this.#context;
    const { agent, branch, sources, fresh } = run.order;
    const known = this.#store.get(agent, branch);
    const source = sources[run.asked % sources.length] ?? self;
    run.asked += 1;
    if (fresh && run.found !== undefined) return this.#begin(run, run.found);
    if (!fresh && known !== undefined) return this.#setRecord(run, known.record);
    if (source !== self)
      out.sendUrgent(source, { type: 'branchFetch', body: { agent, branch: fresh ? '' : branch, base: !fresh } });
    else if (fresh) {
      const kept = this.#holder.kept(agent);
      if (kept === undefined) this.#end(key);
      else this.#begin(run, kept);
    }
  }

  onCopy(from: NodeId, { agent, branch, base, checkpoint, record }: MessageOf<'branchCopy'>): void {
    for (const run of this.#runs.values()) {
      const { order } = run;
      if (order.agent !== agent || run.record !== undefined || !order.sources.includes(from)) continue;
      if (order.fresh && branch === '' && !base && checkpoint !== undefined) this.#begin(run, checkpoint);
      if (!order.fresh && branch === order.branch && base && record !== undefined) this.#setRecord(run, record);
      if (run.record !== undefined) this.#tellKeepers(branchKey(agent, order.branch), run, run.record);
    }
  }

  #begin(run: Run, found: Found): void {
    const { self, wallMs, settings } = this.#context;
    const { agent, branch, number, keepers } = run.order;
    const created = this.#state.agents.get(agent)?.created ?? 0;
    const state = found.state instanceof StateBytes ? found.state : StateBytes.of(found.state, settings.statePartBytes);
    run.found = { ...found, state };
    run.record = {
      ...{ agent, branch, created, number, numbers: [], host: self, keepers, sinceMs: wallMs, untilMs: 0 },
      ...{
        baseEpoch: found.epoch,
        baseSequence: found.sequence,
        baseChecksum: state.checksum,
        baseState: state.bytes(),
      },
    };
  }

  #setRecord(run: Run, before: BranchRecord): void {
    const { number, numbers, keepers } = run.order;
    run.record = { ...before, number, numbers, keepers, host: this.#context.self };
  }

  // ---- its keepers ----

  #tellKeepers(key: string, run: Run, record: BranchRecord): void {
    const { self, out } = this.#context;
    for (const node of run.order.keepers) {
      if (run.kept.has(node) || this.#runs.get(key) !== run) continue;
      if (node === self) this.#store.keep(self, record, (kept) => this.onKept(self, kept));
      else out.sendUrgent(node, { type: 'branchKeep', body: { record } });
    }
  }

  onKept(from: NodeId, { agent, branch, number, accepted }: MessageOf<'branchKept'>): void {
    const key = branchKey(agent, branch);
    const run = this.#runs.get(key);
    if (run?.order.number !== number || run.instance !== undefined || !run.order.keepers.includes(from)) return;
    if (!accepted) return this.#end(key);
    run.kept.add(from);
    if (run.order.keepers.every((node) => run.kept.has(node))) this.#start(key, run);
  }

  #start(key: string, run: Run): void {
    const { agent, branch, number, keepers, sources, fresh } = run.order;
    const record = this.#state.agents.get(agent);
    const type = record && this.#state.types.get(record.type);
    const version = record === undefined ? 0 : versionOf(record);
    const code = type && codeOf(type, version);
    if (record === undefined || code === undefined || run.record === undefined) return this.#end(key);
    const base: StepName = { epoch: run.record.baseEpoch, sequence: run.record.baseSequence };
    const assignment: Assignment = {
      ...{ agent: key, agentType: record.type, created: record.created, epoch: number, holders: keepers },
      ...{ source: code.source, interpreter: code.interpreter, container: code.container, isolation: type?.isolation },
      ...{ version, codeOf: (other: number) => codeIn(this.#state, record.type, other) },
      previousHolders: sources,
      planned: false,
      branch: { agent, id: branch, base, from: fresh ? run.found : undefined },
    };
    const instance = new Instance(this.#context, this.#holder, assignment, this.#eventsOf(key, run));
    run.instance = instance;
    this.#hosting.host(instance);
    instance.begin();
  }

  #eventsOf(key: string, run: Run): InstanceEvents {
    const { agent, branch, number, keepers, fresh } = run.order;
    const events = this.#events;
    return {
      ...events,
      copied: () => {
        if (this.#runs.get(key) !== run || run.active) return;
        run.active = true;
        const text = `a branch of ${agent} ${fresh ? 'began' : 'goes on'} here, kept by ${keepers.length}`;
        reportLocally(this.#context, 'branchBegan', text, { agent, branch, number, keepers, fresh });
        run.instance?.onActive();
      },
      relinquish: (_key, _number, reason) => {
        reportLocally(this.#context, 'branchStopped', `the branch of ${agent} cannot run here: ${reason}`, {
          agent,
          branch,
        });
        if (this.#runs.get(key) === run) this.#end(key);
      },
      answer: (task, answer) => events.answer(task, { ...answer, agent, branch, number }),
      progress: (task, progress) => events.progress(task, { ...progress, agent }),
    };
  }

  /** A keeper does not take what it is sent: it heard a majority, or of a higher number. */
  onRefused(key: string, sealedNumber: number): void {
    if (sealedNumber === closedNumber) this.close(key);
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    for (const [key, run] of [...this.#runs]) {
      if (run.instance?.hasEnded) this.#end(key);
      else if (nowMs - run.askedMs >= settings.holderRetryMs) this.#goOn(key, run);
    }
  }
}
