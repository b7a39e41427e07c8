import type { Decision } from '../../strategies/strategy.ts';
import type { AgentLoss } from './agent-loss.ts';
import type { BranchEntry } from './branch.ts';
import type { Wanted } from './branch-copy.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { CrashLoop } from './crash-loop.ts';
import type { DrainView } from './drain.ts';
import type { ErrorBody } from './errors.ts';
import type { FailuresView, FenceView, StuckView } from './holder-views.ts';
import type { Isolation } from './isolation.ts';
import type { NodeId } from './message.ts';
import type { MigrationEnd, MigrationView } from './migration.ts';
import type { Partition } from './partition.ts';
import type { TypeView } from './rollout-view.ts';

/**
 * What a user can ask of a node, whatever the door it comes in by. The HTTP API turns requests into these, the
 * simulator makes them directly. Any node takes any of them and passes on what another must do.
 */
export type Operation =
  /** Without `consistency`: what the node that is asked has. */
  | { type: 'status'; consistency?: Consistency }
  | { type: 'nodes'; consistency?: Consistency }
  | { type: 'agents'; consistency?: Consistency }
  /** Without `consistency`: what the node that is asked has, and that there is no such agent only after asking the leader. */
  | { type: 'agent'; agent: string; consistency?: Consistency }
  | {
      type: 'deploy';
      /** Chosen by the asker: the same request sent twice takes effect once. */
      request?: string;
      /** Agent type; its code must be in `source` or known to the cluster. */
      agentType: string;
      /** The type's code, one self-contained text; omitted when the cluster has the type. */
      source?: string;
      /** `source` came with the program: a type that the cluster knows keeps its own. */
      builtin?: true;
      /** Runs `source` as a process of its own; without it `source` is a module for a worker thread. */
      interpreter?: string;
      /** The type is run as containers; there is no `source` then. */
      container?: ContainerSpec;
      /** Whether the type's agents may share threads; as it was when omitted, and `agent` for a new type. */
      isolation?: Isolation;
      /** Names: `name` alone for one agent, else `name-1`, `name-2`, …; the type's name when omitted. */
      name?: string;
      count: number;
      strategy: string;
      capabilities: string[];
      /** Nodes that keep the state, 1 to 5. */
      holders: number;
      /** Tasks that are sent to one of these topics come to each of the agents. */
      topics?: string[];
      /** What the agents do without a majority; `fenced` when omitted. */
      partition?: Partition;
    }
  /** Rolls other code of a type out to its agents, one after the other. Answered as soon as it is decided. */
  | {
      type: 'upgrade';
      /** Chosen by the asker: the same request sent twice takes effect once. */
      request?: string;
      agentType: string;
      /** As in `deploy`. */
      source?: string;
      interpreter?: string;
      container?: ContainerSpec;
      /** In place of code: the version before the present one. */
      previous?: true;
      /** An agent may fail so often while it is watched; 2 when omitted. */
      maxFailures?: number;
      /** How long each has to hold before the next one, ms; 10 s when omitted. */
      settleMs?: number;
    }
  /** Takes a rollout back, as if an agent had failed. */
  | { type: 'cancelUpgrade'; agentType: string }
  | { type: 'agentTypes'; consistency?: Consistency }
  | { type: 'agentType'; agentType: string; consistency?: Consistency }
  | { type: 'delete'; agent: string }
  /** Answered once the agent answers there, or within 10 s; with `wait` false as soon as it is decided. */
  | { type: 'migrate'; agent: string; target: NodeId; wait?: boolean }
  /** Ends a migration under way, as long as the agent answers where it was. */
  | { type: 'cancelMigration'; agent: string }
  /** In place of those that it has. */
  | { type: 'setTopics'; agent: string; topics: string[] }
  /** Goes on without a majority of the agent's holders, from the surviving checkpoint that is named; the best one without `from`. */
  | { type: 'recoverAgent'; agent: string; from?: NodeId; epoch: number; sequence: number }
  /** Moves everything away from a node. `deadlineMs`: when it is to be told that it takes too long. */
  | { type: 'drain'; node: NodeId; deadlineMs?: number }
  | { type: 'undrain'; node: NodeId }
  /** Has a voter lead in place of who leads. Answered when it was told to stand for election. */
  | { type: 'lead'; node: NodeId }
  | TaskOperation
  /** What an agent has to do, and what it has set aside. */
  | { type: 'tasks'; agent: string; ttlMs: number }
  /** Ends a task without an effect: one that waits, one that is set aside, or one that runs, if its code lets it. */
  | { type: 'taskCancel'; agent: string; task: string; ttlMs: number }
  /**
   * Between nodes: what of an agent's tasks waits at the node that is asked behind others of their key; with a task whether
   * that is on its way here, and `cancelled`: that it is over.
   */
  | { type: 'doorTasks'; agent: string; task: string; cancelled: boolean }
  | { type: 'state'; agent: string; ttlMs: number }
  /** The state of a fork, from a node that keeps it. */
  | { type: 'fork'; agent: string; fork: string; number: number }
  | { type: 'forkDelete'; agent: string; fork: string; number: number }
  /** `ifIndex`: only if the key was last changed there, 0: only if it does not exist. */
  | { type: 'kvPut'; key: string; value: Uint8Array; ifIndex?: number }
  | { type: 'kvDelete'; key: string; ifIndex?: number }
  | { type: 'kvGet'; key: string; consistency: Consistency }
  /** The keys that begin with `prefix`, from behind the key `after`. */
  | { type: 'kvList'; prefix: string; after?: string; consistency: Consistency };

export interface TaskOperation {
  type: 'task';
  agent: string;
  task: string;
  payload: Uint8Array;
  ttlMs: number;
  /** 0 to 9, higher first; 5 when omitted. */
  priority?: number;
  /** Tasks of one key that came in by one node are done one after the other, in their order. */
  key?: string;
  /** The task was set aside and is to be tried once more, with the payload that was kept. Names the wish: fulfilled once. */
  retry?: string;
  /** What the task says before it is done is wanted, too. */
  progress?: boolean;
  /** From another agent, which has settled what it sent to this one in steps below this. */
  settledBelow?: number;
}

/**
 * `linearizable`: shows every write that was answered before the read was asked. `leader`: what the leader has, which
 * may have been replaced without knowing it yet. `stale`: what the node that is asked has.
 */
export const consistencies = ['linearizable', 'leader', 'stale'] as const;
export type Consistency = (typeof consistencies)[number];

export type OperationType = Operation['type'];

export interface NodeView {
  id: NodeId;
  name: string;
  admin: string;
  addresses: string[];
  site: string;
  machine: string;
  capabilities: string[];
  /** What the log says. */
  membership: 'alive' | 'dead' | 'left';
  /** What this node sees. */
  reachable: boolean;
  /** For operators: derived from the two. */
  status: 'registering' | 'active' | 'inactive' | 'draining' | 'left';
  voter: boolean;
  /** Why it votes, or why not; the latter only the leader knows: undefined elsewhere. */
  voterReason: string | undefined;
  leader: boolean;
  agents: number;
  agentsMax: number;
  /** How far its drain has come; undefined when it does not drain. */
  drain: DrainView | undefined;
  load: LoadView | undefined;
}

export interface LoadView {
  /** Share of one core, 0 to 1 and above. */
  cpu: number;
  memoryBytes: number;
  loopDelayMs: number;
  tasksPerS: number;
  queueDepth: number;
}

export interface AgentView {
  id: string;
  type: string;
  strategy: string;
  /**
   * `pending`: no node yet; `recovering`: placed, not yet answering; `active`: answering; `crash_looping`: it fails again
   * and again, and its tasks wait between the tries.
   */
  status: 'pending' | 'recovering' | 'active' | 'crash_looping';
  host: NodeId | undefined;
  hostName: string | undefined;
  epoch: number;
  holders: NodeId[];
  holdersWanted: number;
  topics: readonly string[];
  capabilities: string[];
  /** Why it is where it is, or why it is nowhere. */
  decision: Decision | undefined;
  /** What made the leader decide: deployed, the host died, an operator moved it, … */
  reason: string;
  /** A planned move that is under way. */
  migration: MigrationView | undefined;
  /** How the last one ended that did not bring it to its target. */
  migrationEnd: MigrationEnd | undefined;
  partition?: Partition;
  /** What it did on sides without a majority, and what became of that. */
  branches?: readonly BranchEntry[];
  crashLoop?: CrashLoop | undefined;
  /** Of its type's code, that it runs. */
  version?: number;
  /** How many failures it can take now; known to the leader and to the agent's host. */
  failures: FailuresView | undefined;
  /** Too many of its holders are missing for it to be recovered by itself; known to the leader. */
  stuck: StuckView | undefined;
  /** The last time that an operator let it go on all the same. */
  loss: AgentLoss | undefined;
  /** What it waits for since, before it is placed; known to the leader. */
  waits?: FenceView | undefined;
}

/** What a node without a majority knows of its side. */
export interface AutonomyView {
  /** Wall clock, ms since 1970. */
  sinceMs: number;
  /** Whose orders this node takes. */
  actingManager: NodeId;
  nodes: NodeId[];
  agents: {
    agent: string;
    branch: string | undefined;
    host: NodeId | undefined;
    keepers: readonly NodeId[];
    tasks: number;
    /** Why it runs there; or why it does not run, told by the acting manager alone. */
    reason: string;
  }[];
}

export interface AgentTasksView {
  running: { task: string; forMs: number } | undefined;
  /** How many wait, and the first of them. */
  waiting: number;
  /** `door`: the node that was asked, where it waits behind others of its key; none: it waits at the host. */
  first: { task: string; priority: number; key: string; door?: NodeId; doorName?: string }[];
  setAside: { task: string; tries: number; reason: string; bytes: number }[];
  meanTaskMs: number;
  /** Nodes that did not say in time what waits with them; undefined: none was asked. */
  silent?: number;
}

export interface LeaderView {
  id: NodeId;
  name: string;
  admin: string;
  term: number;
}

export interface StatusView {
  cluster: string;
  /** `quorum`: this node hears a leader that has a majority; `autonomous`: it does not. */
  mode: 'quorum' | 'autonomous';
  /** The node that answers. */
  self: NodeId;
  leader: LeaderView | undefined;
  nodes: NodeView[];
  agents: AgentView[];
  /** Where `mode` is `autonomous` and this node acts as such. */
  autonomy?: AutonomyView | undefined;
  /** Log position up to which this view holds. */
  index: number;
}

export interface Results {
  status: StatusView;
  nodes: NodeView[];
  agents: AgentView[];
  agent: AgentView;
  deploy: { agents: AgentView[] };
  upgrade: { type: TypeView };
  cancelUpgrade: { type: TypeView };
  agentTypes: TypeView[];
  agentType: TypeView;
  delete: { agent: string };
  migrate: { agent: AgentView };
  cancelMigration: { agent: AgentView };
  setTopics: { agent: AgentView };
  recoverAgent: Omit<AgentLoss, 'index'> & { agent: string; waits?: FenceView | undefined; text: string };
  drain: { node: NodeView };
  undrain: { node: NodeView };
  /** `from`: who led; the same node when it led already. */
  lead: { node: NodeId; from: NodeId };
  /** `value`: the agent's result, JSON bytes. */
  /** `provisional`: done on a branch, which is to be reconciled with what the majority did. */
  task: { agent: string; task: string; value: Uint8Array; provisional?: true; branch?: string };
  tasks: { agent: string } & AgentTasksView;
  doorTasks: { agent: string; waiting: number; first: { task: string; priority: number; key: string }[] };
  /** `was`: what it was when it was cancelled, perhaps by an earlier try of the same request. */
  taskCancel: { agent: string; task: string; was: 'waiting' | 'running' | 'setAside' | 'cancelled' };
  /** `state`: the agent's checkpoint, JSON bytes for agents without their own `checkpoint`. */
  state: { agent: string; epoch: number; sequence: number; state: Uint8Array; provisional?: true; branch?: string };
  fork: {
    agent: string;
    fork: string;
    number: number;
    base: Uint8Array;
    state: Uint8Array;
    branch: BranchEntry;
    /** From nodes of versions before this one they are missing. */
  } & Partial<Wanted>;
  forkDelete: { agent: string; fork: string };
  /** `index`: log index of the change. */
  kvPut: { key: string; index: number };
  /** `deleted`: false when there was no such key; `index` is 0 then. */
  kvDelete: { key: string; index: number; deleted: boolean };
  kvGet: { key: string; value: Uint8Array; index: number };
  /** `next`: there are more, behind this key. */
  kvList: { keys: { key: string; index: number; bytes: number }[]; next?: string };
}

export type Outcome<T extends OperationType = OperationType> =
  /** `asOf`, of what is read: the log index up to which it holds, and since when the leader was not heard, ms. */
  { ok: true; result: Results[T]; asOf?: { index: number; ageMs?: number } } | { ok: false; error: ErrorBody };
