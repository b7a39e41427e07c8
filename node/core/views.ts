import type { AgentRecord, ClusterState, Member } from './cluster-state.ts';
import type { Context } from './context.ts';
import type { Decisions } from './decisions.ts';
import type { Detector } from './detector.ts';
import type { DrainView } from './drain.ts';
import type { Drains } from './drains.ts';
import type { Fences } from './fences.ts';
import type { HolderBoard } from './holder-board.ts';
import type { Hosting } from './hosting.ts';
import type { LoadBoard } from './load-board.ts';
import type { NodeId } from './message.ts';
import type { Migration, MigrationView } from './migration.ts';
import type { AgentView, AutonomyView, LeaderView, LoadView, NodeView, StatusView } from './operation.ts';
import { versionOf } from './type-version.ts';
import type { VoterChanges } from './voter-changes.ts';

/** What of the leader's work users see. */
interface Managed {
  voters: VoterChanges;
  drains: Drains;
  holders: HolderBoard;
  fences: Fences;
}

/** How much of an agent's state the target of a move has, on its host. */
export type Handed = ReturnType<Hosting['handedOver']>;

/** What users see, drawn from the log's state and from what this node observes. */
export class Views {
  readonly #self: NodeId;
  readonly #decisions: Decisions;
  readonly #detector: Detector;
  readonly #loads: LoadBoard;
  readonly #voters: VoterChanges;
  readonly #drains: Drains;
  readonly #holders: HolderBoard;
  readonly #fences: Fences;
  /** The agents that run here. */
  readonly #hosted: () => Hosting;
  /** What this node knows while it hears no majority. */
  autonomy: (() => AutonomyView | undefined) | undefined;

  constructor(
    { self }: Pick<Context, 'self'>,
    decisions: Decisions,
    detector: Detector,
    loads: LoadBoard,
    manager: Managed,
    hosted: () => Hosting,
  ) {
    this.#voters = manager.voters;
    this.#drains = manager.drains;
    this.#self = self;
    this.#hosted = hosted;
    this.#holders = manager.holders;
    this.#fences = manager.fences;
    this.#decisions = decisions;
    this.#detector = detector;
    this.#loads = loads;
  }

  status(cluster: string): StatusView {
    return {
      cluster,
      mode: this.#decisions.hearsQuorum() ? 'quorum' : 'autonomous',
      self: this.#self,
      leader: this.leader(),
      nodes: this.nodes(),
      agents: this.agents(),
      autonomy: this.autonomy?.(),
      index: this.#decisions.state.index,
    };
  }

  leader(): LeaderView | undefined {
    const id = this.#decisions.leader;
    if (id === '') return undefined;
    const profile = this.#decisions.state.members.get(id)?.profile;
    return { id, name: profile?.name ?? '', admin: profile?.admin ?? '', term: this.#decisions.raft.term };
  }

  nodes(): NodeView[] {
    const placed = this.#decisions.state.agentsByHost();
    const { voters } = this.#decisions.raft.configuration();
    const whyNot = this.#voters.whyNot();
    const members = [...this.#decisions.state.members.values()];
    const drains = this.#drains.progress(members.filter(({ drain }) => drain !== undefined).map(({ node }) => node));
    return members
      .map((member) => this.#node(member, placed.get(member.node) ?? 0, voters, whyNot, drains.get(member.node)))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }) || (a.id < b.id ? -1 : 1));
  }

  #node(
    member: Member,
    agents: number,
    voters: readonly NodeId[],
    whyNot: ReturnType<VoterChanges['whyNot']>,
    drain: DrainView | undefined,
  ): NodeView {
    const { node, profile, membership } = member;
    const reachable = node === this.#self || (membership === 'alive' && !this.#detector.isSuspect(node));
    return {
      id: node,
      name: profile.name,
      admin: profile.admin,
      addresses: profile.addresses,
      site: profile.site,
      machine: profile.machine ?? '',
      capabilities: profile.capabilities,
      membership,
      reachable,
      status: statusOf(membership, reachable, drain !== undefined),
      voter: voters.includes(node),
      voterReason: voters.includes(node) ? this.#whyVoter(node) : whyNot?.(node),
      leader: node === this.#decisions.leader,
      agents,
      agentsMax: profile.agentsMax,
      drain,
      load: this.#load(node),
    };
  }

  #whyVoter(node: NodeId): string | undefined {
    const voter = this.#decisions.state.voters.get(node);
    if (voter === undefined || voter.reason === '') return undefined;
    return voter.reason === 'founder' ? 'founder' : `made a voter at index ${voter.since} because ${voter.reason}`;
  }

  #load(node: NodeId): LoadView | undefined {
    const load = this.#loads.of(node);
    if (load === undefined) return undefined;
    const { cpu, memoryBytes, loopDelayMs, tasksPerS, queueDepth } = load;
    return { cpu, memoryBytes, loopDelayMs, tasksPerS, queueDepth };
  }

  agents(): AgentView[] {
    return [...this.#decisions.state.agents.values()]
      .map((agent) => this.#agent(agent))
      .sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
  }

  agent(id: string): AgentView | undefined {
    const agent = this.#decisions.state.agents.get(id);
    return agent && this.#agent(agent);
  }

  #agent(agent: AgentRecord): AgentView {
    const handed = agent.migration && this.#hosted().handedOver(agent.id);
    const own = this.#hosted().holdersOf(agent.id);
    const failures = this.#holders.failures(agent, own?.epoch === agent.placement?.epoch ? own : undefined);
    const waits = this.#decisions.isReady() ? this.#fences.of(agent) : undefined;
    const task = handed?.task ?? this.#holders.movesAfter(agent);
    return {
      ...agentView(this.#decisions.state, agent, handed, task),
      failures,
      stuck: this.#holders.stuck(agent),
      waits,
    };
  }
}

function statusOf(membership: Member['membership'], reachable: boolean, isDraining: boolean): NodeView['status'] {
  if (membership === 'left') return 'left';
  if (membership !== 'alive' || !reachable) return 'inactive';
  return isDraining ? 'draining' : 'active';
}

function migrationView(state: ClusterState, migration: Migration, progress: Handed, task?: string): MigrationView {
  const { target, reason, since, sinceMs, preparedBytes, epoch } = migration;
  return {
    phase: epoch === undefined ? 'preparing' : 'switching',
    target,
    targetName: state.members.get(target)?.profile.name,
    reason,
    since,
    sinceMs,
    bytesCopied: preparedBytes ?? progress?.copied,
    bytes: preparedBytes ?? progress?.bytes,
    waitsForTask: epoch === undefined ? task : undefined,
  };
}

function statusOfAgent({ placement, crashLoop }: AgentRecord, isActive: boolean): AgentView['status'] {
  if (placement === undefined) return 'pending';
  if (crashLoop !== undefined) return 'crash_looping';
  return isActive ? 'active' : 'recovering';
}

function agentView(
  state: ClusterState,
  agent: AgentRecord,
  progress: Handed,
  task: string | undefined,
): Omit<AgentView, 'failures' | 'stuck'> {
  const { placement } = agent;
  const active = placement !== undefined && agent.active?.epoch === placement.epoch && state.stands(placement);
  return {
    id: agent.id,
    type: agent.type,
    strategy: agent.strategy,
    status: statusOfAgent(agent, active),
    host: placement?.host,
    hostName: placement && state.members.get(placement.host)?.profile.name,
    epoch: placement?.epoch ?? 0,
    holders: placement?.holders ?? [],
    holdersWanted: agent.holdersWanted,
    topics: agent.topics ?? [],
    capabilities: agent.capabilities,
    decision: agent.decision,
    reason: agent.reason,
    migration: agent.migration && migrationView(state, agent.migration, progress, task),
    migrationEnd: agent.migrationEnd,
    partition: agent.partition ?? 'fenced',
    branches: agent.branches ?? [],
    crashLoop: agent.crashLoop,
    version: versionOf(agent),
    loss: agent.loss,
  };
}
