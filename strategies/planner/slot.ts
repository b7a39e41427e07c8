import type { Amounts, Candidate } from '../candidate.ts';
import type { Need } from '../need.ts';

/** What a node is, apart from what has been placed on it. */
export type NodeProfile = Pick<
  Candidate,
  | 'node'
  | 'name'
  | 'site'
  | 'capabilities'
  | 'draining'
  | 'agentsMax'
  | 'cpu'
  | 'measured'
  | 'degraded'
  | 'labels'
  | 'taints'
  | 'dedicated'
  | 'capacity'
>;

/** A node and what is reserved on it, kept up to date: it can be handed to a strategy as it is. */
export class Slot implements Candidate {
  readonly node: string;
  name = '';
  site = '';
  capabilities: readonly string[] = [];
  draining = false;
  agents = 0;
  agentsMax = 0;
  cpu = 0;
  /** Of one agent only, so it is set while that one is looked at. */
  holdsState = false;
  measured: Candidate['measured'] = undefined;
  degraded: boolean | undefined = false;
  labels: Candidate['labels'] = undefined;
  taints: Candidate['taints'] = undefined;
  dedicated: Candidate['dedicated'] = undefined;
  capacity: Amounts | undefined = undefined;
  readonly used: Record<string, number> = {};
  readonly portsUsed = new Set<number>();
  readonly byType = new Map<string, number>();
  readonly agentIds = new Set<string>();

  /** Place in the order of node ids. */
  rank = 0;
  /** Grows with every change. */
  version = 0;
  /** Grows when the node itself changes. */
  profileVersion = 0;

  constructor(profile: NodeProfile) {
    this.node = profile.node;
    this.become(profile);
  }

  become(profile: NodeProfile): void {
    this.name = profile.name;
    this.site = profile.site;
    this.capabilities = profile.capabilities;
    this.draining = profile.draining;
    this.agentsMax = profile.agentsMax;
    this.cpu = profile.cpu;
    this.measured = profile.measured;
    this.degraded = profile.degraded;
    this.labels = profile.labels;
    this.taints = profile.taints;
    this.dedicated = profile.dedicated;
    this.capacity = profile.capacity;
    this.version += 1;
    this.profileVersion += 1;
  }

  add(agent: string, need: Need): void {
    this.#count(need, 1);
    this.agentIds.add(agent);
    if (need.ports !== undefined) for (const port of need.ports) this.portsUsed.add(port);
  }

  remove(agent: string, need: Need): void {
    this.#count(need, -1);
    this.agentIds.delete(agent);
    if (need.ports !== undefined) for (const port of need.ports) this.portsUsed.delete(port);
  }

  #count({ agentType, resources }: Need, sign: 1 | -1): void {
    this.agents += sign;
    const count = (this.byType.get(agentType) ?? 0) + sign;
    if (count === 0) this.byType.delete(agentType);
    else this.byType.set(agentType, count);
    for (const resource in resources) {
      this.used[resource] = (this.used[resource] ?? 0) + sign * (resources[resource] ?? 0);
    }
    this.version += 1;
  }
}
