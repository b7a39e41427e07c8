import { isFixed, isMet } from './affinity.ts';
import type { Candidate } from './candidate.ts';
import { offers } from './capability.ts';
import type { Need } from './need.ts';
import type { Reason, ReasonCode } from './reason.ts';

/** One thing that can keep an agent off a node. */
export interface Filter {
  readonly code: ReasonCode;
  /** Whether it can change only when the node itself does, and not with what is placed on it. */
  readonly fixed: boolean;
  /** Whether it can reject any node at all for this need. */
  concerns(need: Need): boolean;
  rejects(candidate: Candidate, need: Need): boolean;
  /** Of a node that it rejects. */
  reason(candidate: Candidate, need: Need): Reason;
}

const missingOf = ({ capabilities }: Candidate, need: Need): string[] =>
  need.capabilities.filter((capability) => !offers(capabilities, capability));

const isTolerated = (taint: string, tolerations: readonly string[] = []): boolean =>
  tolerations.some((each) => each === taint || taint.startsWith(`${each}=`));

const intolerable = ({ taints = [] }: Candidate, { tolerations }: Need): string[] =>
  taints.filter((taint) => !isTolerated(taint, tolerations));

/** The resource that it has too little of. */
function scarce({ capacity, used }: Candidate, { resources }: Need): string | undefined {
  for (const resource in resources) {
    const free = (capacity?.[resource] ?? 0) - (used?.[resource] ?? 0);
    if ((resources[resource] ?? 0) > free) return resource;
  }
  return undefined;
}

const taken = ({ portsUsed }: Candidate, { ports = [] }: Need): number[] =>
  ports.filter((port) => portsUsed?.has(port) === true);

function affinityFilter(code: 'place' | 'company', fixed: boolean): Filter {
  const unmet = (candidate: Candidate, { affinities = [] }: Need) =>
    affinities.find((each) => each.required === true && isFixed(each) === fixed && !isMet(candidate, each));
  return {
    code,
    fixed,
    concerns: ({ affinities = [] }) => affinities.some((each) => each.required === true && isFixed(each) === fixed),
    rejects: (candidate, need) => unmet(candidate, need) !== undefined,
    reason: (candidate, need) => {
      const affinity = unmet(candidate, need);
      if (affinity === undefined) throw new Error('an affinity that is met rejects nothing');
      return { code, affinity };
    },
  };
}

const always = (): boolean => true;

/** In the order in which the first that rejects is the reason; those that are fixed come first. */
export const filters: readonly Filter[] = [
  {
    code: 'draining',
    fixed: true,
    concerns: always,
    rejects: ({ draining }) => draining,
    reason: () => ({ code: 'draining' }),
  },
  {
    code: 'degraded',
    fixed: true,
    concerns: always,
    rejects: ({ degraded }) => degraded === true,
    reason: () => ({ code: 'degraded' }),
  },
  {
    code: 'dedicated',
    fixed: true,
    concerns: always,
    rejects: ({ dedicated = [] }, { agentType }) => dedicated.length > 0 && !dedicated.includes(agentType),
    reason: ({ dedicated = [] }) => ({ code: 'dedicated', types: dedicated }),
  },
  {
    code: 'tainted',
    fixed: true,
    concerns: always,
    rejects: (candidate, need) => intolerable(candidate, need).length > 0,
    reason: (candidate, need) => ({ code: 'tainted', taints: intolerable(candidate, need) }),
  },
  {
    code: 'capability',
    fixed: true,
    concerns: ({ capabilities }) => capabilities.length > 0,
    rejects: (candidate, need) => missingOf(candidate, need).length > 0,
    reason: (candidate, need) => ({ code: 'capability', missing: missingOf(candidate, need) }),
  },
  affinityFilter('place', true),
  {
    code: 'agents',
    fixed: false,
    concerns: always,
    rejects: (candidate) => candidate.agents >= candidate.agentsMax,
    reason: ({ agentsMax }) => ({ code: 'agents', agentsMax }),
  },
  {
    code: 'resource',
    fixed: false,
    concerns: ({ resources = {} }) => Object.keys(resources).length > 0,
    rejects: (candidate, need) => scarce(candidate, need) !== undefined,
    reason: (candidate, need) => {
      const resource = scarce(candidate, need) ?? '';
      const free = (candidate.capacity?.[resource] ?? 0) - (candidate.used?.[resource] ?? 0);
      return { code: 'resource', resource, wanted: need.resources?.[resource] ?? 0, free };
    },
  },
  {
    code: 'port',
    fixed: false,
    concerns: ({ ports = [] }) => ports.length > 0,
    rejects: (candidate, need) => taken(candidate, need).length > 0,
    reason: (candidate, need) => ({ code: 'port', ports: taken(candidate, need) }),
  },
  {
    code: 'per_node',
    fixed: false,
    concerns: ({ perNodeMax }) => perNodeMax !== undefined,
    rejects: ({ byType }, { agentType, perNodeMax = Number.POSITIVE_INFINITY }) =>
      (byType?.get(agentType) ?? 0) >= perNodeMax,
    reason: (_candidate, { agentType, perNodeMax = 0 }) => ({ code: 'per_node', agentType, most: perNodeMax }),
  },
  affinityFilter('company', false),
];

/** The filters that matter to a need. */
export const filtersFor = (need: Need): Filter[] => filters.filter((filter) => filter.concerns(need));

/** Why a node cannot take the agent; undefined when it can, as far as the sites of the others do not matter. */
export function whyInfeasible(
  candidate: Candidate,
  need: Need,
  among: readonly Filter[] = filters,
): Reason | undefined {
  return among.find((filter) => filter.rejects(candidate, need))?.reason(candidate, need);
}

/** Everything that would have to change until a node can take the agent. */
export const allObstacles = (candidate: Candidate, need: Need): Reason[] =>
  filters.filter((filter) => filter.rejects(candidate, need)).map((filter) => filter.reason(candidate, need));
