import type { Decision } from '../../strategies/strategy.ts';
import type { NodeId, Profile } from './message.ts';
import { limits } from './settings.ts';

export interface Member {
  node: NodeId;
  boot: number;
  profile: Profile;
  membership: 'alive' | 'dead' | 'left';
  /** Log index of the last change of `membership` or `boot`. */
  since: number;
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

export interface AgentRecord {
  id: string;
  type: string;
  strategy: string;
  capabilities: string[];
  holdersWanted: number;
  /** Log index of its creation. */
  created: number;
  /** The latest decision; it answers tasks once `active` carries the same epoch. */
  placement: Placement | undefined;
  /** The last epoch whose state reached a majority of its holders: what the next recovery seals. */
  active: Placement | undefined;
  reason: string;
  decision: Decision | undefined;
}

export interface TypeRecord {
  type: string;
  source: string;
  /** Log index of its definition. */
  defined: number;
}

/** What the log says: the same on every node at the same index. Changed by `apply` alone. */
export class ClusterState {
  /** Last log index that was applied. */
  index = 0;
  /** Placements decided so far: whose turn it is in `round_robin`. */
  turn = 0;
  readonly members = new Map<NodeId, Member>();
  readonly agents = new Map<string, AgentRecord>();
  readonly types = new Map<string, TypeRecord>();
  /** Deploy requests that took effect, with the agents they made; oldest first, bounded. */
  readonly requests = new Map<string, string[]>();

  alive(): Member[] {
    return [...this.members.values()].filter((member) => member.membership === 'alive');
  }

  isAlive(node: NodeId): boolean {
    return this.members.get(node)?.membership === 'alive';
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

  rememberRequest(request: string, agents: string[]): void {
    this.requests.set(request, agents);
    for (const oldest of this.requests.keys()) {
      if (this.requests.size <= limits.requestsRememberedMax) break;
      this.requests.delete(oldest);
    }
  }
}
