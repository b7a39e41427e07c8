import type { Candidate } from '../strategies/candidate.ts';
import type { Affinity, Need } from '../strategies/need.ts';
import { type Ask, Planner } from '../strategies/planner/planner.ts';
import type { NodeProfile } from '../strategies/planner/slot.ts';

const sites = ['eu', 'us', 'asia', 'africa', 'south'];
const sizes = [1, 2, 4];
const agentsMax = 1_000;
const kindCount = 24;
const strategies = ['least_loaded', 'resource_optimal', 'capability_match', 'least_loaded=0.7,affinity_based=0.3'];

/** Nodes of three sizes on five sites: some with a GPU, some tainted, a few kept for one type. */
export function nodeProfile(i: number): NodeProfile {
  const size = sizes[i % sizes.length] as number;
  const node = `node-${String(i).padStart(6, '0')}`;
  return {
    node,
    name: node,
    site: sites[i % sites.length] as string,
    capabilities: [...(i % 7 === 0 ? [`gpu=${1 + (i % 3)}`] : []), ...(i % 2 === 0 ? ['edge'] : [])],
    draining: false,
    agentsMax,
    cpu: (i % 17) / 4,
    measured: { agents: 0, ageMs: 5_000 },
    labels: { disk: i % 3 === 0 ? 'ssd' : 'hdd' },
    taints: i % 20 === 0 ? ['spot'] : [],
    dedicated: i % 100 === 0 ? ['kind-0'] : [],
    capacity: { cpu: 32_000 * size, memory: 128_000 * size },
  };
}

/** Every third kind is plain; the others have constraints of every sort, one or two each. */
function needOf(kind: number): Need {
  const affinities: Affinity[] = [];
  if (kind % 6 === 1) affinities.push({ kind: 'label', to: 'disk=ssd', weight: 1, required: true });
  if (kind % 6 === 2) affinities.push({ kind: 'type', to: `kind-${kind - 1}`, weight: -50 });
  if (kind % 12 === 4) affinities.push({ kind: 'site', to: 'eu', weight: -1, required: true });
  return {
    agentType: `kind-${kind}`,
    capabilities: kind % 12 === 5 ? ['gpu>=2'] : kind % 12 === 11 ? ['edge'] : [],
    resources: { cpu: 50 + 10 * kind, memory: 200 + 40 * (kind % 7) },
    tolerations: kind % 8 === 2 ? ['spot'] : [],
    ...(affinities.length > 0 && { affinities }),
    ...(kind % 12 === 8 && { spread: { skewMax: 500 } }),
    ...(kind % 12 === 10 && { perNodeMax: 40 }),
  };
}

const needs = Array.from({ length: kindCount }, (_, kind) => needOf(kind));

/** The agents in the order in which they come: all kinds mixed, none twice in a row. */
export function askOf(i: number): Ask {
  const kind = (i * 7) % kindCount;
  return {
    agent: `agent-${i}`,
    need: needs[kind] as Need,
    strategy: strategies[kind % strategies.length] as string,
    turn: i,
  };
}

export function plannerOf(nodes: number): Planner {
  const planner = new Planner();
  for (let i = 0; i < nodes; i++) planner.setNode(nodeProfile(i));
  return planner;
}

/** The same nodes, empty, for whoever looks at each. */
export const candidatesOf = (nodes: number): Candidate[] =>
  Array.from({ length: nodes }, (_, i) => ({ ...nodeProfile(i), agents: 0, holdsState: false }));
