import type { ClusterState } from './cluster-state.ts';
import type { NodeId } from './message.ts';

/** How far apart nodes stand: what a power cut, or the loss of a machine, can take at once. */
export interface Spread {
  sites: number;
  machines: number;
}

/** Where a node stands: its site, and within it its machine; one that does not say is alone on its own. */
function placeOf(state: ClusterState, node: NodeId): { site: string; machine: string } {
  const { site = '', machine = '' } = state.members.get(node)?.profile ?? {};
  return { site, machine: `${site}\n${machine === '' ? node : machine}` };
}

/** The sites and machines that some nodes stand on, to be asked of more nodes. */
export class Places {
  readonly #state: ClusterState;
  readonly #sites = new Set<string>();
  readonly #machines = new Set<string>();

  constructor(state: ClusterState, nodes: readonly NodeId[] = []) {
    this.#state = state;
    for (const node of nodes) this.add(node);
  }

  add(node: NodeId): void {
    const { site, machine } = placeOf(this.#state, node);
    this.#sites.add(site);
    this.#machines.add(machine);
  }

  /** 2: on another site than all of them; 1: on another machine; 0: neither. */
  distanceOf(node: NodeId): number {
    const { site, machine } = placeOf(this.#state, node);
    if (!this.#sites.has(site)) return 2;
    return this.#machines.has(machine) ? 0 : 1;
  }

  get spread(): Spread {
    return { sites: this.#sites.size, machines: this.#machines.size };
  }
}

/** Whether so many nodes, chosen from places of that spread, could stand further apart than these do. */
export function couldBeFurtherApart({ sites, machines }: Spread, most: Spread, count: number): boolean {
  return sites < Math.min(most.sites, count) || machines < Math.min(most.machines, count);
}

/** What one set of nodes has more of than another, the greater danger first; undefined when it has not. */
export function whatIsFurtherApart(
  state: ClusterState,
  nodes: readonly NodeId[],
  others: readonly NodeId[],
): 'sites' | 'machines' | undefined {
  const [a, b] = [new Places(state, nodes).spread, new Places(state, others).spread];
  if (a.sites !== b.sites) return a.sites > b.sites ? 'sites' : undefined;
  return a.machines > b.machines ? 'machines' : undefined;
}
