import { Sessions } from '../../consensus/sessions.ts';
import type { Decision } from '../../strategies/strategy.ts';
import type { AgentLoss } from './agent-loss.ts';
import type { Result } from './applied.ts';
import { Audit } from './audit.ts';
import type { BranchEntry, Descent } from './branch.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { CrashLoop } from './crash-loop.ts';
import type { Drain } from './drain.ts';
import type { Isolation } from './isolation.ts';
import type { NodeId, Profile } from './message.ts';
import type { Migration, MigrationEnd } from './migration.ts';
import type { Partition } from './partition.ts';
import type { Rollout, RolloutEnd, Upgrade } from './rollout.ts';
import { limits } from './settings.ts';
import type { TypeVersion } from './version-change.ts';

export interface Member {
  node: NodeId;
  boot: number;
  /** Names the start that `boot` counts: an older copy of a disk, put back, starts under the same number. */
  start: string;
  profile: Profile;
  membership: 'alive' | 'dead' | 'left';
  /** Log index of the last change of `membership` or `boot`. */
  since: number;
  /** It is to have nothing any more. */
  drain?: Drain | undefined;
}

/** Agent → host node, its epoch and its holders. */
export interface Placement {
  /** Fencing number: the log index of the decision, so it grows with every placement of any agent. */
  epoch: number;
  host: NodeId;
  /** The start of the host that was meant: another start of it does not take this placement up. */
  boot: number;
  holders: NodeId[];
}

/** Never changed: another takes its place, so that what was made of one, such as its bytes, stays right. */
export interface AgentRecord {
  readonly id: string;
  readonly type: string;
  readonly strategy: string;
  readonly capabilities: string[];
  readonly holdersWanted: number;
  /** What it wants to hear of; none where it is left out. */
  readonly topics?: readonly string[];
  /** Log index of its creation. */
  readonly created: number;
  /** The latest decision; it answers tasks once `active` carries the same epoch. */
  readonly placement: Placement | undefined;
  /** The last epoch whose state reached a majority of its holders: what the next recovery seals. */
  readonly active: Placement | undefined;
  readonly reason: string;
  readonly decision: Decision | undefined;
  /** A planned move that is under way. */
  readonly migration?: Migration | undefined;
  readonly migrationEnd?: MigrationEnd | undefined;
  /** What it does without a majority; none: it is fenced. */
  readonly partition?: Partition | undefined;
  /** The epochs that became active, oldest first, the latest of them; of autonomous agents alone. */
  readonly lineage?: readonly Descent[] | undefined;
  /** Its branches: those to be reconciled, forks, and the latest of those that ended otherwise. */
  readonly branches?: readonly BranchEntry[] | undefined;
  /** Of branches that ended and are not remembered: the highest step that one of them began from. */
  readonly branchesBelow?: number | undefined;
  readonly crashLoop?: CrashLoop | undefined;
  /** Of its type's code, that its placement runs; the first where it is left out. */
  readonly version?: number | undefined;
  readonly upgrade?: Upgrade | undefined;
  /** A newer version, which may have written its state: a rollout that went back ended before it had answered again. */
  readonly writtenBy?: number | undefined;
  /** The last time that an operator let it go on without a majority of its holders. */
  readonly loss?: AgentLoss | undefined;
  /** Log index of the last recovery of the whole cluster from one log: it may have taken other steps that are lost. */
  readonly wentOnAt?: number | undefined;
}

export interface TypeRecord {
  type: string;
  source: string;
  /** Runs the source as a process of its own; without it, and without a container, it is a module for a worker thread. */
  interpreter?: string;
  /** What is run in place of a source, which is empty then. */
  container?: ContainerSpec;
  /** Whether its agents may share threads, if they run in threads; none: each has its own. */
  isolation?: Isolation;
  /** Log index of its definition. */
  defined: number;
  /** Of the code, that new agents get; the first where it is left out. */
  version?: number;
  /** The highest that was given; the present one where it is left out. */
  lastVersion?: number;
  /** Other versions, as long as somebody may need them. */
  others?: TypeVersion[];
  /** The version before the present one. */
  previous?: number;
  rollout?: Rollout;
  rolloutEnd?: RolloutEnd;
}

/** A deleted agent whose last holders are not known to be sealed yet. */
export interface Ending {
  /** Log index of the deletion: every epoch below it is over. */
  index: number;
  /** Holders of its last active epoch; none when it never was active. */
  holders: NodeId[];
}

/** What stands under a key. */
export interface KvRecord {
  value: Uint8Array;
  /** Log index of its last change. */
  index: number;
}

/** A member that votes, by the last configuration that was applied. */
export interface Voter {
  /** Log index of the configuration that made it vote. */
  since: number;
  /** Empty when nobody wrote it down. */
  reason: string;
}

/** What the log says: the same on every node at the same index. Changed by `apply` alone. */
export class ClusterState {
  /** Last log index that was applied. */
  index = 0;
  /** Placements decided so far: whose turn it is in `round_robin`. */
  turn = 0;
  readonly members = new Map<NodeId, Member>();
  readonly agents = new Map<string, AgentRecord>();
  /** Deleted and not gone: their names are not free. */
  readonly ending = new Map<string, Ending>();
  readonly types = new Map<string, TypeRecord>();
  voters = new Map<NodeId, Voter>();
  /** Why the next configuration is to make a node vote, or vote no more. */
  voterNote: { node: NodeId; votes: boolean; reason: string } | undefined;
  /**
   * What members have had done for their users: a session each, from the entry that makes it a member to the one that ends
   * that. Of positions in the log only these end it, so a member that is idle keeps its own.
   */
  readonly sessions = new Sessions<Result>({
    sessionsMax: limits.membersMax,
    resultsMax: limits.resultsOfSessionMax,
    idleEntriesMax: Number.MAX_SAFE_INTEGER,
  });
  /** Deploy requests that users named and that took effect, with the agents they made; oldest first, bounded. */
  readonly requests = new Map<string, string[]>();
  readonly audit = new Audit();
  /** The key-value space. */
  readonly kv = new Map<string, KvRecord>();
  /** Characters of its keys and bytes of its values together. */
  kvBytes = 0;

  alive(): Member[] {
    return [...this.members.values()].filter((member) => member.membership === 'alive');
  }

  isAlive(node: NodeId): boolean {
    return this.members.get(node)?.membership === 'alive';
  }

  /** It takes nothing new. */
  isDraining(node: NodeId): boolean {
    return this.members.get(node)?.drain !== undefined;
  }

  /** The session of a living start of a node: the log index at which it became a member, which never comes again. */
  sessionOf(node: NodeId, start: string): string | undefined {
    const member = this.members.get(node);
    return member?.membership === 'alive' && member.start === start ? String(member.since) : undefined;
  }

  /** Whether a start of a node comes from a disk that is older than what the node was last seen with. */
  isOutdated(node: NodeId, boot: number, start: string): boolean {
    const member = this.members.get(node);
    return member !== undefined && (member.boot > boot || (member.boot === boot && member.start !== start));
  }

  /** A member comes back, or goes for good: what was its session until now is over. */
  changeMembership(member: Member, membership: Member['membership'], index: number): void {
    this.sessions.close(String(member.since));
    member.membership = membership;
    member.since = index;
  }

  changeAgent(agent: AgentRecord, changes: Partial<Omit<AgentRecord, 'id'>>): void {
    this.agents.set(agent.id, { ...agent, ...changes });
  }

  /** The placement stands on a living node, and on the same start of it. */
  stands(placement: Placement): boolean {
    const host = this.members.get(placement.host);
    return host?.membership === 'alive' && host.boot === placement.boot;
  }

  /** Agents placed on each node. */
  agentsByHost(): Map<NodeId, number> {
    const counts = new Map<NodeId, number>();
    for (const agent of this.agents.values()) {
      const host = agent.placement?.host;
      if (host !== undefined) counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    return counts;
  }

  /** Whether an agent of that name stands or has not ended. */
  isNameTaken(agent: string): boolean {
    return this.agents.has(agent) || this.ending.has(agent);
  }

  /** Whether an epoch of an agent lies behind a deletion of it, or behind an operator's decision to go on without it, as far as this node has read the log. */
  isOver(agent: string, epoch: number): boolean {
    const end = this.ending.get(agent);
    if (end !== undefined) return epoch < end.index;
    const record = this.agents.get(agent);
    return record === undefined ? epoch <= this.index : epoch < Math.max(record.created, record.loss?.index ?? 0);
  }

  /** A configuration was applied; returns why it came, if that was noted. */
  configure(voters: readonly NodeId[], index: number): string | undefined {
    const before = this.voters;
    const changed = [
      ...voters.filter((node) => !before.has(node)),
      ...[...before.keys()].filter((node) => !voters.includes(node)),
    ];
    const note = changed.length > 0 ? this.voterNote : undefined;
    const reasonOf = (node: NodeId): string => {
      if (before.size === 0) return 'founder';
      return note?.node === node && note.votes ? note.reason : '';
    };
    this.voters = new Map(voters.map((node) => [node, before.get(node) ?? { since: index, reason: reasonOf(node) }]));
    if (changed.length > 0) this.voterNote = undefined;
    return note?.reason;
  }

  rememberRequest(request: string, agents: string[]): void {
    this.requests.set(request, agents);
    for (const oldest of this.requests.keys()) {
      if (this.requests.size <= limits.requestsRememberedMax) break;
      this.requests.delete(oldest);
    }
  }
}
