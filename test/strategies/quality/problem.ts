import { Random } from '../../../sim/random.ts';
import { filtersFor } from '../../../strategies/feasibility.ts';
import type { Need } from '../../../strategies/need.ts';
import { type Ask, Planner } from '../../../strategies/planner/planner.ts';
import type { NodeProfile } from '../../../strategies/planner/slot.ts';

/** Agents of a kind are all alike. */
export interface Kind {
  need: Need;
  count: number;
}

export interface Problem {
  nodes: NodeProfile[];
  kinds: Kind[];
}

export const nodesMax = 50;

/** So many that there is something to decide, and none. */
const never = 1_000_000;

export function nodeProfile(random: Random, i: number, alike: boolean): NodeProfile {
  const size = alike ? 2 : random.pick([1, 2, 4]);
  return {
    node: `n${String(i).padStart(2, '0')}`,
    name: `n${i}`,
    site: 'eu',
    capabilities: [
      ...(random.chance(0.3) ? [`gpu=${1 + random.below(3)}`] : []),
      ...(random.chance(0.5) ? ['edge'] : []),
    ],
    draining: false,
    agentsMax: never,
    cpu: 0,
    labels: { disk: random.pick(['ssd', 'hdd']) },
    capacity: { cpu: 8_000 * size, memory: 32_000 * size },
  };
}

function kindOf(random: Random, i: number): Need {
  const some = random.below(6);
  return {
    agentType: `kind-${i}`,
    capabilities: some === 0 ? ['gpu>=2'] : some === 1 ? ['gpu'] : some === 2 ? ['edge'] : [],
    // At most a tenth of the smallest node.
    resources: { cpu: 40 * (1 + random.below(20)), memory: 160 * (1 + random.below(20)) },
    ...(some === 3 && { affinities: [{ kind: 'label', to: 'disk=ssd', weight: 1, required: true }] }),
    ...(some === 4 && { perNodeMax: 2 + random.below(8) }),
  };
}

const resources = ['cpu', 'memory'] as const;

/** What the nodes have of a resource that may take the agents by what they are. */
export function eligibleCapacity(nodes: readonly NodeProfile[], need: Need, resource: string): number {
  const fixed = filtersFor(need).filter((filter) => filter.fixed);
  const eligible = nodes.filter(
    (node) => !fixed.some((filter) => filter.rejects({ ...node, agents: 0, holdsState: false }, need)),
  );
  return eligible.reduce((sum, { capacity }) => sum + (capacity?.[resource] ?? 0), 0);
}

/** Any nodes and kinds of agents, which ask for up to `full` of what the nodes have, and of what each kind may use. */
export function randomProblem(seed: string): Problem {
  const random = new Random(seed);
  const count = 3 + random.below(nodesMax - 2);
  const nodes = Array.from({ length: count }, (_, i) => nodeProfile(random, i, false));
  const full = random.between(0.3, 0.97);
  const kinds = Array.from({ length: 2 + random.below(7) }, (_, i) => ({ need: kindOf(random, i), count: 0 }));
  const anybody: Need = { agentType: '', capabilities: [] };
  const wanted = { cpu: 0, memory: 0 };
  const isEnough = (share: number, need: Need, used: Record<string, number>): boolean =>
    resources.some((name) => (used[name] ?? 0) > share * full * eligibleCapacity(nodes, need, name));
  let open = kinds;
  while (open.length > 0 && !isEnough(1, anybody, wanted)) {
    const kind = random.pick(open);
    const each = kind.need.resources ?? {};
    const used = Object.fromEntries(resources.map((name) => [name, (kind.count + 1) * (each[name] ?? 0)]));
    const isRestricted = kind.need.capabilities.length > 0 || kind.need.affinities !== undefined;
    const mostOf = (kind.need.perNodeMax ?? never) * count;
    if (isEnough(isRestricted ? 0.5 : 1, kind.need, used) || kind.count >= mostOf) {
      open = open.filter((other) => other !== kind);
      continue;
    }
    kind.count += 1;
    for (const name of resources) wanted[name] += each[name] ?? 0;
  }
  return { nodes, kinds: kinds.filter((kind) => kind.count > 0) };
}

export function asksOf({ kinds }: Problem): Ask[] {
  return kinds.flatMap(({ need, count }) =>
    Array.from({ length: count }, (_, i) => ({
      agent: `${need.agentType}/${i}`,
      need,
      strategy: 'least_loaded',
      turn: 0,
    })),
  );
}

export function plannerFor({ nodes }: Problem): Planner {
  const planner = new Planner();
  for (const node of nodes) planner.setNode(node);
  return planner;
}

/** Alike nodes that have their agents, and up to half as many that are new and empty; nothing counts but memory. */
export function grownProblem(seed: string): Problem & { old: number } {
  const random = new Random(seed);
  const old = 3 + random.below(30);
  const count = Math.min(nodesMax, old + 1 + random.below(Math.ceil(old / 2)));
  const nodes = Array.from({ length: count }, (_, i) => ({
    ...nodeProfile(random, i, true),
    capacity: { memory: 64_000 },
  }));
  const kinds = Array.from({ length: 2 + random.below(5) }, (_, i): Kind => {
    const memory = 100 * (1 + random.below(10));
    const perNodeMax = random.chance(0.3) ? 40 : undefined;
    return { need: { agentType: `kind-${i}`, capabilities: [], resources: { memory }, perNodeMax }, count: 0 };
  });
  let wanted = random.between(0.3, 0.8) * old * 64_000;
  for (; wanted > 0; ) {
    const kind = random.pick(kinds);
    kind.count += 1;
    wanted -= kind.need.resources?.memory ?? 0;
  }
  return { nodes, kinds: kinds.filter((kind) => kind.count > 0), old };
}
