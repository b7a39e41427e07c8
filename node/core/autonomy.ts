import { ActingManager } from './acting-manager.ts';
import { AutonomyBoard } from './autonomy-board.ts';
import { branchKey, isBranchKey } from './branch.ts';
import { BranchReports } from './branch-reports.ts';
import { BranchRuns } from './branch-runs.ts';
import { BranchStore } from './branch-store.ts';
import { type Context, reportLocally } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { Holder } from './holder.ts';
import type { Hosting } from './hosting.ts';
import type { Instance } from './instance.ts';
import type { InstanceEvents } from './instance-events.ts';
import type { LoadBoard } from './load-board.ts';
import type { BranchRecord, Message, MessageOf, MessageType, NodeId } from './message.ts';
import type { AutonomyView } from './operation.ts';
import type { Peers } from './peers.ts';
import { Reconciliation } from './reconciliation.ts';
import type { Restored } from './restored.ts';
import { limits } from './settings.ts';
import { type QueuedTask, refusalOf } from './task-queue.ts';

const types = [
  ...(['autonomy', 'branchOrder', 'branchFetch', 'branchCopy'] as const),
  ...(['branchKeep', 'branchKept', 'branchTold', 'branchDone'] as const),
];
export type AutonomyMessageType = (typeof types)[number];
type Handlers = { [K in AutonomyMessageType]: (from: NodeId, body: MessageOf<K>) => void };

const known: ReadonlySet<MessageType> = new Set(types);
export const isAutonomyMessage = (message: Message): message is Extract<Message, { type: AutonomyMessageType }> =>
  known.has(message.type);

/**
 * What a node does while it hears no majority, and with what comes of it when it hears one again: who manages its side,
 * which branches run and are kept here, and how their histories come together.
 */
export class Autonomy {
  readonly #context: Context;
  readonly #decisions: Decisions;
  readonly #peers: Peers;
  readonly #holder: Holder;
  readonly board: AutonomyBoard;
  readonly store: BranchStore;
  readonly runs: BranchRuns;
  readonly #manager: ActingManager;
  readonly #reports: BranchReports;
  readonly #reconciliation: Reconciliation;
  readonly #events: InstanceEvents;
  readonly #hosting: Hosting;
  /** When this node last heard a majority; undefined while it does. */
  #silentSinceMs: number | undefined;
  #since: { nowMs: number; wallMs: number } | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;
  #actingManager: NodeId | undefined;

  constructor(init: {
    context: Context;
    decisions: Decisions;
    peers: Peers;
    holder: Holder;
    hosting: Hosting;
    loads: LoadBoard;
    restored: Pick<Restored, 'branches'>;
    events: InstanceEvents;
  }) {
    const { context, decisions, holder, hosting, events } = init;
    const { state } = decisions;
    this.#context = context;
    this.#decisions = decisions;
    this.#peers = init.peers;
    this.#holder = holder;
    this.#events = events;
    this.#hosting = hosting;
    const mayKeep = (): boolean => !decisions.hearsQuorum();
    this.store = new BranchStore(context, holder, state, { records: init.restored.branches, mayKeep });
    const ofBranch = { ...events, mayAcknowledge: mayKeep };
    this.runs = new BranchRuns({ context, state, holder, hosting, store: this.store, events: ofBranch });
    this.board = new AutonomyBoard(context, () => this.#own());
    this.#manager = new ActingManager(context, state, init.loads, this.board, (host, body) => this.#order(host, body));
    this.#reports = new BranchReports(context, decisions, this.store, (body) => this.#tellLeader('branchTold', body));
    const tell = (body: MessageOf<'branchDone'>): void => this.#tellLeader('branchDone', body);
    this.#reconciliation = new Reconciliation({ context, state, hosting, store: this.store, tell });
    this.#silentSinceMs = context.nowMs;
  }

  get isAutonomous(): boolean {
    return this.#since !== undefined;
  }

  // ---- time ----

  /** A majority is heard again, or no longer. */
  onQuorumChanged(quorum: boolean): void {
    this.#silentSinceMs = quorum ? undefined : this.#context.nowMs;
    if (quorum) this.#end();
    this.#hosting.onQuorumChanged();
  }

  #end(): void {
    this.runs.closeAll();
    this.#manager.reset();
    if (this.#since === undefined) return;
    this.#since = undefined;
    this.#toldMs = Number.NEGATIVE_INFINITY;
    reportLocally(this.#context, 'autonomyEnded', 'hears a majority again: branches wait for their reconciliation');
  }

  tick(): void {
    const { nowMs, settings, self, out } = this.#context;
    const isLong = this.#silentSinceMs !== undefined && nowMs - this.#silentSinceMs >= settings.autonomyAfterMs;
    if (isLong && out.cluster !== '') this.#begin();
    this.#tellOthers();
    if (this.#since !== undefined) {
      this.#noticeManager();
      this.runs.tick();
      if (this.#actingManager === self) this.#manager.tick();
      else this.#manager.reset();
    } else if (this.#silentSinceMs === undefined) {
      this.#reports.tick();
      this.#reconciliation.tick();
    }
  }

  #begin(): void {
    if (this.#since !== undefined) return;
    this.#since = { nowMs: this.#context.nowMs, wallMs: this.#context.wallMs };
    reportLocally(this.#context, 'autonomyBegan', 'hears no majority for long: autonomous agents go on as branches');
  }

  #noticeManager(): void {
    const acting = this.board.actingManager();
    if (acting === this.#actingManager) return;
    this.#actingManager = acting;
    reportLocally(this.#context, 'actingManagerChanged', `takes ${acting} for the acting manager of its side`, {
      acting,
    });
  }

  #tellOthers(): void {
    const { nowMs, settings, out } = this.#context;
    const isWanted = this.#since !== undefined || this.#hasOpen();
    if (!isWanted || nowMs - this.#toldMs < settings.autonomyTellMs) return;
    this.#toldMs = nowMs;
    const body = this.#own();
    for (const node of this.#peers.connected()) out.sendUrgent(node, { type: 'autonomy', body });
  }

  /** It keeps branches whose end is not known: who still goes on with one of them is to know that it is over. */
  #hasOpen(): boolean {
    return this.store.size > 0 && this.store.all().some(({ record, number }) => !this.#isEnded(record, number));
  }

  #isEnded({ agent, branch }: BranchRecord, number: number): boolean {
    const entry = this.#decisions.state.agents
      .get(agent)
      ?.branches?.find((each) => each.id === branch && each.number === number);
    return entry?.end !== undefined;
  }

  #own(): MessageOf<'autonomy'> {
    const { nowMs } = this.#context;
    const { state } = this.#decisions;
    const states = [...this.#holder.agents()].flatMap((agent) => {
      const step = this.#holder.stepOf(agent);
      if (isBranchKey(agent) || step === undefined || step.epoch === 0) return [];
      const known = state.agents.get(agent);
      if (known !== undefined && known.partition !== 'autonomous') return [];
      return [{ agent, epoch: step.epoch, sequence: step.sequence }];
    });
    return {
      autonomous: this.#since !== undefined,
      forMs: this.#since === undefined ? 0 : Math.max(0, Math.round(nowMs - this.#since.nowMs)),
      index: state.index,
      branches: [...this.runs.here(), ...this.store.here()].slice(0, limits.branchesKeptMax),
      states: states.slice(0, limits.branchesKeptMax),
    };
  }

  // ---- messages ----

  onMessage(from: NodeId, { type, body }: Extract<Message, { type: AutonomyMessageType }>): void {
    (this.#on[type] as (from: NodeId, body: object) => void)(from, body);
  }

  /** Of an agent or a branch that runs here. */
  onReplicated(from: NodeId, body: MessageOf<'replicated'>): void {
    this.#hosting.get(body.agent)?.onReplicated(from, body);
    if (!body.accepted) this.runs.onRefused(body.agent, body.sealedEpoch);
  }

  readonly #on: Handlers = {
    autonomy: (from, body) => this.#onAutonomy(from, body),
    branchOrder: (from, body) => {
      if (this.#since !== undefined && from === this.board.actingManager() && !this.#decisions.hearsQuorum())
        this.runs.onOrder(body);
    },
    branchFetch: (from, body) => this.#onFetch(from, body),
    branchCopy: (from, body) => {
      if (this.#since !== undefined) this.runs.onCopy(from, body);
      else this.#reconciliation.onCopy(from, body);
    },
    branchKeep: (from, { record }) => {
      const { out } = this.#context;
      if (record !== undefined)
        this.store.keep(from, record, (body) => out.sendUrgent(from, { type: 'branchKept', body }));
    },
    branchKept: (from, body) => this.runs.onKept(from, body),
    branchTold: (from, body) => this.#reports.onTold(from, body),
    branchDone: (from, body) => this.#reports.onDone(from, body),
  };

  /** One who hears a majority has closed what it keeps: so does everybody who hears of that. */
  #onAutonomy(from: NodeId, body: MessageOf<'autonomy'>): void {
    this.board.note(from, body);
    for (const { agent, branch, closed } of body.branches) {
      const here = closed ? this.store.get(agent, branch) : undefined;
      if (here !== undefined && !here.closed) this.runs.close(here.key);
    }
  }

  #onFetch(from: NodeId, { agent, branch, base }: MessageOf<'branchFetch'>): void {
    const kept = branch === '' ? undefined : this.store.get(agent, branch);
    const reply = (more: Partial<MessageOf<'branchCopy'>>): void =>
      this.#context.out.send(from, { type: 'branchCopy', body: { agent, branch, base, ...more } });
    if (base) return kept && reply({ record: kept.record });
    const copy = this.#holder.kept(branch === '' ? agent : branchKey(agent, branch));
    if (copy !== undefined) reply({ checkpoint: { ...copy, state: copy.state.bytes() } });
  }

  #order(host: NodeId, body: MessageOf<'branchOrder'>): void {
    if (host !== this.#context.self) this.#context.out.sendUrgent(host, { type: 'branchOrder', body });
    else this.runs.onOrder(body);
  }

  #tellLeader<K extends 'branchTold' | 'branchDone'>(type: K, body: MessageOf<K>): void {
    const { leader } = this.#decisions;
    const message = { type, body } as Extract<Message, { type: AutonomyMessageType }>;
    if (leader === this.#context.self) this.onMessage(leader, message);
    // Behind the write that it speaks of.
    else if (leader !== '') this.#context.out.send(leader, message);
  }

  // ---- tasks ----

  /** Where an agent's branch answers, for one whose side has no majority. */
  hostOf(agent: string): NodeId | undefined {
    return this.#since === undefined ? undefined : this.board.runner(agent)?.node;
  }

  /** The instance of an agent's branch that answers here. */
  instance(agent: string): Instance | undefined {
    return this.#since === undefined ? undefined : this.runs.instance(agent);
  }

  submit(agent: string, task: QueuedTask): void {
    const instance = this.instance(agent);
    if (instance !== undefined) return instance.submit(task);
    this.#events.answer(task, refusalOf(task, agent));
  }

  // ---- what users see ----

  view(): AutonomyView | undefined {
    if (this.#since === undefined) return undefined;
    const running = [...this.#decisions.state.agents.values()].filter(({ partition }) => partition === 'autonomous');
    return {
      sinceMs: this.#since.wallMs,
      actingManager: this.board.actingManager() ?? this.#context.self,
      nodes: [...this.board.autonomous().keys()].sort(),
      agents: running.map(({ id }) => {
        const there = this.board.runner(id);
        const reason = this.#manager.reasons.get(id) ?? (there ? '' : 'the acting manager knows why it does not run');
        const { branch, node, keepers = [], tasks = 0 } = there ?? {};
        return { agent: id, branch, host: node, keepers, tasks, reason };
      }),
    };
  }
}
