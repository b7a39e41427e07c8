import { isRaftMessage } from '../../consensus/message.ts';
import { Addressing } from './addressing.ts';
import type { Applied } from './applied.ts';
import { changesMembers } from './apply.ts';
import { Autonomy, isAutonomyMessage } from './autonomy.ts';
import { type Context, reportLocally } from './context.ts';
import { Decisions } from './decisions.ts';
import { Detector } from './detector.ts';
import type { Effect } from './effect.ts';
import { errors, toErrorBody } from './errors.ts';
import type { Event, EventOf } from './event.ts';
import { Fitness } from './fitness.ts';
import { Founding } from './founding.ts';
import { beforeBelonging, type EventHandlers, type ForLeader, type MessageHandlers, type Said } from './handlers.ts';
import { Holder } from './holder.ts';
import { Hosting, type HostingEvents, runnerEvents } from './hosting.ts';
import { isKv } from './kv.ts';
import { kvChanged } from './kv-apply.ts';
import { LoadBoard } from './load-board.ts';
import { Manager } from './manager.ts';
import { Membership } from './membership.ts';
import { type Message, type MessageOf, type NodeId, replicated } from './message.ts';
import type { Instant, NodeInit } from './node-init.ts';
import type { LeaderView, Outcome } from './operation.ts';
import { isTaskAsk, whatIsWrong } from './operation-check.ts';
import { Operator } from './operator.ts';
import { Outbox } from './outbox.ts';
import { Peers } from './peers.ts';
import { QuorumNotice } from './quorum-notice.ts';
import { keys, writeJson } from './records.ts';
import { Requests } from './requests.ts';
import { restore } from './restored.ts';
import { defaultSettings } from './settings.ts';
import { Tasks } from './tasks.ts';
import { Views } from './views.ts';

export type { Instant, NodeInit } from './node-init.ts';

const settleRoundsMax = 100;

/**
 * The whole node as one state machine: an event in, effects out, in the order in which they must happen. It never
 * waits, and knows no clock, disk, socket or chance but what it is handed.
 */
export class Node {
  readonly #context: Context;
  readonly #peers: Peers;
  readonly #founding: Founding;
  readonly #decisions: Decisions;
  readonly #detector: Detector;
  readonly #loads: LoadBoard;
  readonly #addressing: Addressing;
  readonly #fitness: Fitness;
  readonly #holder: Holder;
  readonly #hosting: Hosting;
  readonly #tasks: Tasks;
  readonly #autonomy: Autonomy;
  readonly #manager: Manager;
  readonly #operator: Operator;
  readonly #views: Views;
  readonly #requests: Requests;
  readonly #membership: Membership;
  readonly #quorum: QuorumNotice;
  #tickMs = Number.NEGATIVE_INFINITY;
  #wakeAtMs = Number.NEGATIVE_INFINITY;

  constructor(init: NodeInit) {
    const restored = restore(init.records);
    const context: Context = {
      self: init.id,
      boot: restored.boot + 1,
      start: init.start,
      profile: init.profile,
      settings: { ...defaultSettings, ...init.settings },
      out: new Outbox(),
      random: init.random,
      ...init.at,
    };
    this.#context = context;
    context.out.cluster = restored.cluster;
    context.out.persist([writeJson(keys.boot, context.boot)]);
    this.#peers = new Peers(context, init.join, () => this.#detector.incarnation);
    this.#founding = new Founding(context, this.#peers, init.expect, restored.pledge, {
      found: (cluster, voters) => this.#found(cluster, voters),
    });
    this.#decisions = new Decisions(context, restored, {
      applied: (applied) => this.#onApplied(applied),
      passedOver: () => this.#onPassedOver(),
      leadershipChanged: () => this.#onLeadershipChanged(),
    });
    const { state } = this.#decisions;
    this.#detector = new Detector(context, this.#peers, { accusationsChanged: () => this.#manager.touch() });
    this.#loads = new LoadBoard(context);
    this.#addressing = new Addressing(context, state, this.#loads);
    this.#fitness = new Fitness(context, this.#decisions, this.#loads, this.#peers);
    this.#holder = new Holder(context, restored, (agent, epoch) => state.isOver(agent, epoch));
    this.#manager = new Manager(context, this.#decisions, this.#detector, this.#loads, this.#holder);
    this.#views = new Views(context, this.#decisions, this.#detector, this.#loads, this.#manager, () => this.#hosting);
    this.#operator = new Operator(context, this.#decisions, this.#manager, this.#views, this.#fitness);
    const events: HostingEvents = {
      copied: (agent, epoch, from) =>
        this.#tellLeader({ type: 'activate', body: { agent, epoch, ...(from && { from }) } }),
      relinquish: (agent, epoch, reason) => this.#tellLeader({ type: 'relinquish', body: { agent, epoch, reason } }),
      prepared: (body) => this.#tellLeader({ type: 'prepared', body }),
      fares: (said) => this.#tellLeader(said),
      report: (body) => this.#tellLeader({ type: 'holdersReport', body }),
      ready: (host, body) => this.#tellHost(host, body),
      lastIndex: () => this.#decisions.raft.lastIndex,
      answer: ({ origin }, body) => this.#sayTo(origin, { type: 'taskAnswer', body }),
      progress: ({ origin }, body) => this.#sayTo(origin, { type: 'taskProgress', body }),
      mayAcknowledge: () => this.#decisions.hearsQuorum() && this.#decisions.recency.isRecent,
      resolve: (to) => this.#addressing.resolve(to),
      ask: (operation, done) => this.#requests.ask(operation, done as (outcome: Outcome) => void),
    };
    this.#hosting = new Hosting(context, state, this.#holder, events);
    const parts = { context, decisions: this.#decisions, peers: this.#peers, hosting: this.#hosting };
    this.#autonomy = new Autonomy({ ...parts, holder: this.#holder, loads: this.#loads, restored, events });
    this.#views.autonomy = () => this.#autonomy.view();
    this.#quorum = new QuorumNotice(context, this.#decisions, (quorum) => this.#autonomy.onQuorumChanged(quorum));
    this.#tasks = new Tasks(context, state, this.#peers, {
      submitHere: (ask) => this.#submit(context.self, ask),
      answered: () => this.#loads.countTask(),
      branchHost: (agent) => this.#autonomy.hostOf(agent),
    });
    const asked = { tasks: this.#tasks, views: this.#views, operator: this.#operator, autonomy: this.#autonomy };
    this.#requests = new Requests({ ...parts, ...asked });
    this.#membership = new Membership(context, this.#decisions, this.#peers, this.#hosting, {
      cluster: () => this.#cluster,
      waitsFor: () => this.#manager.drains.progress([context.self]).get(context.self)?.waitsFor ?? [],
    });
    this.#membership.learnOf(restored.log.entries);
    if (restored.log.snapshot !== undefined) this.#membership.onMembersChanged(this.#detector, this.#loads);
  }

  /** The cluster this node belongs to; empty before it belongs to one. */
  get #cluster(): string {
    return this.#context.out.cluster;
  }

  get boot(): number {
    return this.#context.boot;
  }

  /** Whether this node can serve users, and if not, why. */
  readiness(): { ready: boolean; reason: string } {
    const reason = this.#membership.whyNotReady() ?? '';
    return { ready: reason === '', reason };
  }

  leader(): LeaderView | undefined {
    return this.#views.leader();
  }

  /** Takes one event and returns what is to be done about it. */
  handle(event: Event, at: Instant): Effect[] {
    return this.handleAll([event], at);
  }

  /** Takes events that came together, in their order. What follows from all of them, such as messages, follows once. */
  handleAll(events: readonly Event[], at: Instant): Effect[] {
    Object.assign(this.#context, at);
    this.#decisions.recency.observe();
    for (const event of events) (this.#onEvent[event.type] as (event: Event) => void)(event);
    if (this.#decisions.raft.deadlineMs() <= at.nowMs) this.#decisions.raft.tick(at.nowMs);
    if (at.nowMs >= this.#tickMs + this.#context.settings.tickMs) this.#tick();
    this.#settle();
    this.#quorum.look();
    this.#askToWake();
    return this.#context.out.take();
  }

  #tick(): void {
    this.#tickMs = this.#context.nowMs;
    this.#peers.tick();
    if (this.#cluster === '') this.#founding.tick();
    this.#detector.tick();
    this.#fitness.tick();
    this.#membership.tick();
    this.#manager.drains.observe();
    this.#hosting.tick();
    this.#autonomy.tick();
    this.#tasks.tick();
    this.#requests.tick();
    this.#operator.tick();
  }

  /** Decisions lead to decisions: goes on until nothing more follows from this event. */
  #settle(): void {
    for (let round = 0; round < settleRoundsMax; round++) {
      const before = this.#decisions.state.index;
      const proposed = this.#decisions.raft.lastIndex;
      this.#manager.reconcile();
      this.#decisions.flush();
      this.#operator.tick();
      if (this.#decisions.state.index === before && this.#decisions.raft.lastIndex === proposed) break;
    }
    this.#decisions.flush();
    this.#membership.hangUpOnDead();
  }

  #askToWake(): void {
    const atMs = Math.min(this.#tickMs + this.#context.settings.tickMs, this.#decisions.raft.deadlineMs());
    if (atMs === this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    this.#context.out.push({ type: 'wakeAt', atMs });
  }

  // ---- events ----

  readonly #onEvent: EventHandlers = {
    wake: () => void (this.#wakeAtMs = Number.NEGATIVE_INFINITY),
    connected: ({ node }) => {
      this.#peers.onConnected(node);
      this.#detector.onHeard(node);
    },
    disconnected: ({ node }) => {
      this.#peers.onDisconnected(node);
      this.#decisions.raft.peerLost(node, this.#context.nowMs);
      this.#detector.onDisconnected(node);
      this.#requests.onDisconnected(node);
    },
    dialFailed: ({ address }) => this.#cluster === '' && this.#peers.onDialFailed(address),
    message: (event) => this.#onMessage(event),
    gossip: ({ from, cluster, message }) => {
      if (cluster !== this.#cluster || cluster === '') return;
      if (message.type === 'load') this.#loads.onLoad(from, message.body, this.#decisions.state.members.has(from));
      if (message.type === 'rumor' && message.body.accuser === from) this.#detector.onRumor(message.body);
    },
    persisted: ({ id }) => this.#context.out.persisted(id),
    request: ({ request, operation }) => {
      const reason = whatIsWrong(operation);
      if (reason !== undefined) {
        this.#context.out.reply(request, { ok: false, error: toErrorBody(errors.bodyMalformed({ reason })) });
      } else {
        // A task's outcome is on a majority of disks, or promises nothing.
        const urgent = isKv(operation) || operation.type === 'task';
        this.#requests.ask(
          operation,
          (outcome) => this.#context.out.reply(request, outcome, urgent),
          (number, value) => this.#context.out.push({ type: 'progress', request, number, value }),
        );
      }
    },
    load: ({ sample }) => this.#loads.sample(sample, this.#hosting.size, this.#hosting.queueDepth()),
    stop: () => this.#membership.leave(),
    ...runnerEvents(() => this.#hosting),
  };

  // ---- messages ----

  #onMessage({ from, cluster, message }: EventOf<'message'>): void {
    if (cluster !== '' && this.#cluster !== '' && cluster !== this.#cluster) {
      this.#membership.turnAwayStranger(from, cluster);
      return;
    }
    const belongs = cluster !== '' && cluster === this.#cluster;
    if (!belongs && !beforeBelonging.has(message.type)) return;
    this.#detector.onHeard(from);
    if (message.type === 'hello') this.#onHello(from, cluster, message.body);
    else if (isAutonomyMessage(message)) this.#autonomy.onMessage(from, message);
    else if (isRaftMessage(message)) this.#decisions.raft.receive(from, message, this.#context.nowMs);
    else (this.#onMessageOf[message.type] as (from: NodeId, body: Message['body']) => void)(from, message.body);
  }

  #onHello(from: NodeId, cluster: string, hello: MessageOf<'hello'>): void {
    this.#peers.onHello(from, cluster, hello);
    this.#detector.onIntroduced(from, hello.boot, hello.incarnation);
    if (this.#cluster === '' && cluster !== '' && this.#founding.mayJoin(cluster)) this.#adopt(cluster);
    else if (this.#cluster !== '' && cluster === '') this.#peers.introduce(from);
  }

  readonly #onMessageOf: Pick<MessageHandlers, Said> = {
    foundAsk: (from, body) => this.#cluster === '' && this.#founding.onAsk(from, body),
    foundPledge: (from, body) => this.#cluster === '' && this.#founding.onPledge(from, body),
    foundRelease: (from, body) => this.#cluster === '' && this.#founding.onRelease(from, body),
    join: (from, body) => this.#membership.onJoin(from, body),
    leave: (from, body) => this.#membership.onLeave(from, body),
    probe: (from, body) => this.#detector.onProbe(from, body),
    probeAck: (from, body) => this.#detector.onProbeAck(from, body),
    probeAsk: (from, body) => this.#detector.onProbeAsk(from, body),
    rumor: (from, body) => body.accuser === from && this.#detector.onRumor(body),
    load: (from, body) => this.#loads.onLoad(from, body, this.#decisions.state.members.has(from)),
    digest: (from, body) => this.#membership.onDigest(from, body),
    view: (from, body) => this.#membership.onView(from, body),
    seal: (from, { agent, epoch, known }) =>
      this.#holder.seal(agent, epoch, known, (body) => this.#context.out.sendUrgent(from, { type: 'sealed', body })),
    sealed: (from, body) => {
      this.#hosting.get(body.agent)?.recovery?.onSealed(from, body);
      this.#manager.endings.onSealed(from, body);
    },
    replicate: (from, body) => this.#holder.replicate(body, (answer) => this.#sayTo(from, replicated(answer))),
    stateOffer: (from, body) => this.#holder.offer(from, body, (answer) => this.#sayTo(from, replicated(answer))),
    stateFetch: (from, body) => this.#hosting.onFetch(from, body),
    statePieces: (from, body) => this.#hosting.onPieces(from, body),
    replicated: (from, body) => this.#autonomy.onReplicated(from, body),
    confirm: (from, body) => this.#sayTo(from, { type: 'confirmed', body: this.#holder.confirm(body) }),
    holdersReport: (from, body) => this.#manager.holders.onReport(from, body),
    confirmed: (from, body) => this.#hosting.get(body.agent)?.onConfirmed(from, body),
    activate: (from, { agent, epoch, from: step }) => this.#manager.onCopied(from, agent, epoch, step),
    activated: (_from, { agent, epoch }) => this.#hosting.onActivated(agent, epoch),
    prepared: (from, body) => {
      if (from !== this.#context.self) this.#hosting.get(body.agent)?.handover.onPrepared(from, body);
      this.#manager.migrations.onPrepared(from, body);
    },
    relinquish: (from, { agent, epoch, reason }) => this.#manager.onRelinquish(from, agent, epoch, reason),
    ailing: (from, body) => this.#manager.onAiling(from, body),
    refusing: (from, body) => this.#manager.rollouts.onRefusing(from, body),
    fenceAsk: (from, body) => this.#hosting.hasLeft(body) && this.#sayTo(from, { type: 'fenceOver', body }),
    fenceOver: (from, body) => this.#manager.fences.onOver(from, body),
    taskAsk: (from, ask) => isTaskAsk(ask) && this.#submit(from, { ...ask, payload: ask.payload.slice() }),
    taskAnswer: (from, body) => this.#tasks.onAnswer(from, body),
    taskProgress: (from, body) => this.#tasks.onProgress(from, body),
    forward: (from, body) => this.#requests.onForward(from, body),
    answer: (from, body) => this.#requests.onAnswer(from, body),
  };

  // ---- the parts, told of each other ----

  #found(cluster: string, voters: NodeId[]): void {
    this.#decisions.found(cluster, voters, () => {
      this.#context.out.cluster = cluster;
      reportLocally(this.#context, 'clusterFounded', `cluster ${cluster} founded`, { cluster, voters });
      this.#peers.introduceToAll();
    });
  }

  #adopt(cluster: string): void {
    this.#context.out.persist([writeJson(keys.cluster, cluster)]);
    this.#context.out.cluster = cluster;
    reportLocally(this.#context, 'clusterMet', `joins cluster ${cluster}`, { cluster });
    this.#peers.introduceToAll();
  }

  #onApplied(applied: Extract<Applied, { ok: true }>): void {
    // No decision of the manager depends on keys and values.
    if (applied.kind === kvChanged) return;
    this.#manager.touch();
    this.#addressing.onApplied(applied.kind);
    if (changesMembers(applied.kind)) this.#membership.onMembersChanged(this.#detector, this.#loads);
    if (applied.kind === 'memberJoined') this.#detector.pardon(String(applied.details.node));
    if (applied.kind === 'memberDead') this.#membership.onDead(String(applied.details.node));
    for (const agent of applied.agents) {
      if (applied.kind === 'agentDeleted') this.#manager.endings.onDeleted();
      if (applied.kind === 'agentGone') this.#holder.onGone(agent, Number(applied.details.index));
      if (applied.kind === 'agentGone') this.#operator.onGone(agent);
      this.#hosting.onDecided(agent);
      this.#tasks.onDecided(agent);
    }
  }

  /** Everything may have changed at once: whatever follows from decisions is brought in line with the state. */
  #onPassedOver(): void {
    const { state } = this.#decisions;
    const { index } = state;
    reportLocally(this.#context, 'logPassedOver', `a snapshot took the place of the log up to ${index}`, { index });
    this.#manager.touch();
    this.#addressing.forget();
    this.#membership.onMembersChanged(this.#detector, this.#loads);
    for (const { node, membership } of state.members.values()) if (membership === 'dead') this.#membership.onDead(node);
    for (const agent of new Set([...state.agents.keys(), ...this.#hosting.agents()])) {
      this.#hosting.onDecided(agent);
      this.#tasks.onDecided(agent);
    }
    this.#holder.onPassedOver(index, (agent) => state.isNameTaken(agent));
    this.#operator.onPassedOver();
  }

  #onLeadershipChanged(): void {
    // With more about to be applied it leads all the same: what its manager has seen still counts.
    if (!this.#decisions.mayLead()) this.#manager.reset();
    this.#manager.touch();
    this.#requests.onLeadershipChanged();
    this.#hosting.reports.onLeadershipChanged();
  }

  #tellLeader(message: Extract<Message, { type: ForLeader }>): void {
    if (this.#decisions.leader !== '') this.#sayTo(this.#decisions.leader, message);
  }

  /** What this node says to itself as `prepared` is for its leader. */
  #tellHost(host: NodeId, body: MessageOf<'prepared'>): void {
    if (host !== this.#context.self) this.#sayTo(host, { type: 'prepared', body });
    else this.#hosting.get(body.agent)?.handover.onPrepared(host, body);
  }

  /** To another node, or to this one. */
  #sayTo(node: NodeId, message: Extract<Message, { type: Said }>): void {
    if (node !== this.#context.self) this.#context.out.sendUrgent(node, message);
    else (this.#onMessageOf[message.type] as (from: NodeId, body: Message['body']) => void)(node, message.body);
  }

  #submit(origin: NodeId, { agent, ttlMs, provisional, ...ask }: MessageOf<'taskAsk'>): void {
    const task = { ...ask, origin, deadlineMs: this.#context.nowMs + ttlMs };
    (provisional === true ? this.#autonomy : this.#hosting).submit(agent, task);
  }
}
