import { isOvertaken, wentOnAt } from './agent-loss.ts';
import { isBranchKey } from './branch.ts';
import type { AgentRecord, ClusterState } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { EventOf } from './event.ts';
import { FormerHoldings } from './former-holdings.ts';
import type { Holder } from './holder.ts';
import { HolderReports, holdersOf } from './holder-reports.ts';
import { Instance } from './instance.ts';
import type { InstanceEvents } from './instance-events.ts';
import { Leftovers } from './leftovers.ts';
import { LetterSenders } from './letter-senders.ts';
import type { HoldersOfAgent, MessageOf, NodeId } from './message.ts';
import { Preparations } from './preparations.ts';
import { limits } from './settings.ts';
import { type QueuedTask, refusalOf } from './task-queue.ts';
import { codeIn, codeOf, versionOf } from './type-version.ts';

/** What is told of the agents that run here, and of those that are to. */
export interface HostingEvents extends InstanceEvents {
  /** For the leader: what the holders of the agents here have. */
  report(report: MessageOf<'holdersReport'>): void;
  /** For the host of an agent that is to move here. */
  ready(host: NodeId, said: MessageOf<'prepared'>): void;
  /** Of this node's log. The state may be behind it: what is committed is told by a leader. */
  lastIndex(): number;
}

/** The agents that this node runs, kept equal to what the log assigns to this start of it. */
export class Hosting {
  readonly #context: Context;
  readonly #state: ClusterState;
  readonly #holder: Holder;
  readonly #events: HostingEvents;
  readonly #preparations: Preparations;
  readonly #leftovers: Leftovers;
  readonly #former: FormerHoldings;
  readonly #senders: LetterSenders;
  readonly reports: HolderReports;
  readonly #instances = new Map<string, Instance>();
  /** Tasks that came before the decision which brings their agent here. Bounded, and not for long. */
  #early: { agent: string; task: QueuedTask; untilMs: number }[] = [];

  constructor(context: Context, state: ClusterState, holder: Holder, events: HostingEvents) {
    this.#context = context;
    this.#state = state;
    this.#holder = holder;
    this.#events = events;
    this.reports = new HolderReports(context, () => this.own(), events.report);
    this.#leftovers = new Leftovers(context, holder);
    this.#senders = new LetterSenders(context, state);
    this.#former = new FormerHoldings(context, state, holder, () => events.lastIndex());
    this.#preparations = new Preparations(context, state, (host, said) => events.ready(host, said));
  }

  get(agent: string): Instance | undefined {
    return this.#instances.get(agent);
  }

  agents(): string[] {
    return [...this.#instances.keys(), ...this.#preparations.agents()].filter((agent) => !isBranchKey(agent));
  }

  get size(): number {
    return this.#instances.size;
  }

  queueDepth(): number {
    let depth = 0;
    for (const instance of this.#instances.values()) depth += instance.queueDepth;
    return depth;
  }

  /** The log said something about the agent: begin, go on, or end here. */
  onDecided(id: string): void {
    const agent = this.#state.agents.get(id);
    const instance = this.#instances.get(id);
    const epoch = this.#epochHere(agent);
    this.#preparations.onDecided(id);
    this.#leftovers.onDecided(id, agent);
    if (agent === undefined || epoch === undefined) {
      if (instance !== undefined) this.#end(instance);
      return;
    }
    if (instance?.assignment.epoch !== epoch) this.#begin(agent, instance);
    this.#instances.get(id)?.runner.onCrashLoop(agent.crashLoop !== undefined);
    if (agent.active?.epoch !== epoch) return;
    this.#activate(this.#instances.get(id));
    this.#instances.get(id)?.onMigration(agent.migration);
    if (agent.upgrade?.settled === false) return;
    this.#instances.get(id)?.turn.settled();
    this.#instances.get(id)?.runner.refusals.end();
  }

  /** The epoch in which this very start of this node is to run the agent. */
  #epochHere(agent: AgentRecord | undefined): number | undefined {
    const placement = agent?.placement;
    if (agent === undefined || isOvertaken(agent)) return undefined;
    if (placement?.host !== this.#context.self || placement.boot !== this.#context.boot) return undefined;
    return placement.epoch;
  }

  /** Whether this node has read the decision at that index, and runs no epoch of the agent that is over by it. */
  hasLeft({ agent, index }: MessageOf<'fenceAsk'>): boolean {
    const { epoch = index } = this.#instances.get(agent)?.assignment ?? {};
    return this.#state.index >= index && epoch >= index;
  }

  #begin(agent: AgentRecord, before: Instance | undefined): void {
    const { placement, active } = agent;
    const type = this.#state.types.get(agent.type);
    const version = versionOf(agent);
    const code = type && codeOf(type, version);
    if (placement === undefined || type === undefined || code === undefined) return;
    // What an earlier activation already settled is not sealed again: this start of the node knows nothing of it.
    if (active !== undefined && active.epoch >= placement.epoch) return;
    const assignment = {
      agent: agent.id,
      agentType: agent.type,
      source: code.source,
      interpreter: code.interpreter,
      container: code.container,
      isolation: type.isolation,
      partition: agent.partition,
      created: agent.created,
      wentOnAt: wentOnAt(agent),
      epoch: placement.epoch,
      holders: placement.holders,
      previousHolders: active?.holders,
      planned: agent.migration?.epoch === placement.epoch,
      version,
      isWatched: agent.upgrade?.settled === false,
      codeOf: (other: number) => codeIn(this.#state, agent.type, other),
    };
    // What an operator accepted as lost is not brought back by what ran before.
    const isLost = before !== undefined && (agent.loss?.index ?? 0) > before.assignment.epoch;
    if (before !== undefined && !isLost && before.changeHolders(assignment)) return;
    const tasks = before === undefined ? [] : this.#stop(before);
    const instance = new Instance(this.#context, this.#holder, assignment, this.#events);
    this.#instances.set(agent.id, instance);
    for (const task of tasks) instance.submit(task);
    this.#submitEarly(instance);
    instance.begin();
  }

  /** A branch of an agent runs here, too, by its key. */
  host(instance: Instance): void {
    this.#instances.set(instance.assignment.agent, instance);
  }

  /** Ends what `host` began. */
  release(instance: Instance): void {
    const key = instance.assignment.agent;
    if (this.#instances.get(key) === instance) this.#instances.delete(key);
    instance.depose();
  }

  /** The agents that run here by the log. */
  own(): Instance[] {
    return [...this.#instances.values()].filter(({ assignment }) => assignment.branch === undefined);
  }

  #stop(instance: Instance): QueuedTask[] {
    this.#instances.delete(instance.assignment.agent);
    return instance.end();
  }

  #end(instance: Instance): void {
    const { agent } = instance.assignment;
    for (const task of this.#stop(instance)) this.#refuse(agent, task);
  }

  /** Gives a task to the agent's instance; where there is none yet, it waits for a moment. */
  submit(agent: string, task: QueuedTask): void {
    const instance = this.#instances.get(agent);
    if (instance !== undefined) instance.submit(task);
    else if (this.#early.length >= limits.agentQueueMax) this.#refuse(agent, task);
    else this.#early.push({ agent, task, untilMs: this.#context.nowMs + this.#context.settings.retryIntervalMs });
  }

  #submitEarly(instance: Instance): void {
    const { agent } = instance.assignment;
    const mine = this.#early.filter((early) => early.agent === agent);
    if (mine.length === 0) return;
    this.#early = this.#early.filter((early) => early.agent !== agent);
    for (const { task } of mine) instance.submit(task);
  }

  #refuse(agent: string, task: QueuedTask): void {
    const refusal = this.#state.agents.has(agent) ? 'agentNotReady' : 'agentUnknown';
    this.#events.answer(task, { task: task.task, agent, ok: false, value: new Uint8Array(0), refusal });
  }

  /** The leader says that the log calls the epoch active. */
  onActivated(agent: string, epoch: number): void {
    this.#activate(this.#in(agent, epoch));
  }

  #activate(instance: Instance | undefined): void {
    if (instance === undefined || instance.isActive) return;
    instance.onActive();
    this.reports.hurry();
  }

  /** What the agent's instance here knows of its holders. */
  holdersOf(agent: string): HoldersOfAgent | undefined {
    const instance = this.#instances.get(agent);
    return instance && holdersOf(instance);
  }

  /** How much of an agent's state the target of its move has; undefined where that is not known here. */
  handedOver(agent: string): ReturnType<Instance['handover']['progress']> {
    return this.#instances.get(agent)?.handover.progress();
  }

  /** What will run an agent is there: at the target of a migration, for its host to know. */
  onPrepared(event: EventOf<'agentPrepared'>): void {
    this.#preparations.onPrepared(event);
  }

  onStarted({ agent, epoch, state }: EventOf<'agentStarted'>): void {
    this.#by(agent, epoch)?.onStarted(state);
  }

  onAhead({ agent, epoch, bytes }: EventOf<'stateAhead'>): void {
    this.#by(agent, epoch)?.onAhead(bytes);
  }

  onRan({ agent, epoch, task, ok, value, state: update, outputs }: EventOf<'taskRan'>): void {
    this.#by(agent, epoch)?.onRan({ task, ok, value, update, outputs });
  }

  onReturned({ agent, epoch, tasks }: EventOf<'tasksReturned'>): void {
    this.#by(agent, epoch)?.onReturned(tasks);
  }

  onProgress({ agent, epoch, task, value }: EventOf<'taskProgress'>): void {
    this.#by(agent, epoch)?.onProgress(task, value);
  }

  onFailed({ agent, epoch, reason, innocent }: EventOf<'agentFailed'>): void {
    this.#by(agent, epoch)?.onFailed(reason, innocent);
  }

  /** Parts of a state, for a holder or for the next host: of a step that the agent's host here offers, or that this node keeps. */
  onFetch(from: NodeId, asked: MessageOf<'stateFetch'>): void {
    const instance = this.#in(asked.agent, asked.epoch);
    const pieces = instance?.replication.onFetch(from, asked) ?? this.#holder.pieces(asked);
    this.#context.out.sendUrgent(from, { type: 'statePieces', body: pieces });
  }

  onPieces(from: NodeId, pieces: MessageOf<'statePieces'>): void {
    this.#holder.onPieces(from, pieces);
    this.#instances.get(pieces.agent)?.recovery?.onPieces(from, pieces);
  }

  /** Whose code tells something that it began in that epoch, or earlier. */
  #by(agent: string, epoch: number): Instance | undefined {
    const instance = this.#instances.get(agent);
    return instance?.runner.isOf(epoch) ? instance : undefined;
  }

  #in(agent: string, epoch: number): Instance | undefined {
    const instance = this.#instances.get(agent);
    return instance?.assignment.epoch === epoch ? instance : undefined;
  }

  /** A majority is in reach again, or no longer. */
  onQuorumChanged(): void {
    for (const instance of this.#instances.values()) instance.acknowledge();
  }

  tick(): void {
    const { nowMs } = this.#context;
    const late = this.#early.filter(({ untilMs }) => nowMs >= untilMs);
    if (late.length > 0) this.#early = this.#early.filter(({ untilMs }) => nowMs < untilMs);
    // Where the agent is unknown this node may merely be behind: only the asker's own log says that it does not exist.
    for (const { agent, task } of late) {
      this.#events.answer(task, refusalOf(task, agent));
    }
    for (const instance of this.#instances.values()) instance.tick();
    this.#holder.tick();
    this.#former.tick();
    this.#senders.tick(this.own());
    this.reports.tick();
    this.#preparations.tick();
  }
}

/** What the runner tells goes to the instances that it tells of. */
export const runnerEvents = (hosting: () => Hosting) => ({
  stateAhead: (event: EventOf<'stateAhead'>) => hosting().onAhead(event),
  agentStarted: (event: EventOf<'agentStarted'>) => hosting().onStarted(event),
  taskRan: (event: EventOf<'taskRan'>) => hosting().onRan(event),
  tasksReturned: (event: EventOf<'tasksReturned'>) => hosting().onReturned(event),
  taskProgress: (event: EventOf<'taskProgress'>) => hosting().onProgress(event),
  agentFailed: (event: EventOf<'agentFailed'>) => hosting().onFailed(event),
  agentPrepared: (event: EventOf<'agentPrepared'>) => hosting().onPrepared(event),
});
