import type { Candidate } from '../../strategies/candidate.ts';
import type { Affinity, PlacementRequest } from '../../strategies/need.ts';

/** Whether a node meets one affinity, said in another way than the product does. */
function meets(node: Candidate, { kind, to, weight }: Affinity): boolean {
  const [key = '', value] = to.split('=');
  const label = node.labels?.[key];
  const there = {
    type: (node.byType?.get(to) ?? 0) > 0,
    agent: [...(node.agentIds ?? [])].includes(to),
    node: [node.node, node.name].includes(to),
    site: node.site === to,
    label: value === undefined ? label !== undefined : label === value,
  }[kind];
  return weight > 0 ? there : !there;
}

/** Versions here have one or two numbers and are compared as decimals. */
function has(node: Candidate, wanted: string): boolean {
  const [, name = '', least] = /^(\w+)(?:>=(.+))?$/.exec(wanted) ?? [];
  return node.capabilities.some((each) => {
    const [offered, version] = each.split('=');
    return offered === name && (least === undefined || Number(version) >= Number(least));
  });
}

/** What keeps an agent off a node whatever is placed on it. */
function isEligible(node: Candidate, request: PlacementRequest): boolean {
  const tolerated = (taint: string) =>
    (request.tolerations ?? []).some((each) => taint === each || taint.split('=')[0] === each);
  return (
    !node.draining &&
    node.degraded !== true &&
    (node.taints ?? []).every(tolerated) &&
    (node.dedicated === undefined || node.dedicated.length === 0 || node.dedicated.includes(request.agentType)) &&
    request.capabilities.every((wanted) => has(node, wanted)) &&
    (request.affinities ?? [])
      .filter(({ required, kind }) => required && kind !== 'type' && kind !== 'agent')
      .every((affinity) => meets(node, affinity))
  );
}

/** The nodes that can take an agent, in a second, plain writing to hold the product's against. */
export function feasibleNodes(request: PlacementRequest, nodes: readonly Candidate[]): Candidate[] {
  const ofType = (node: Candidate) => node.byType?.get(request.agentType) ?? 0;
  const eligible = nodes.filter((node) => isEligible(node, request));
  const onSite = (site: string) =>
    nodes.filter((node) => node.site === site).reduce((sum, node) => sum + ofType(node), 0);
  const least = Math.min(...eligible.map(({ site }) => onSite(site)));
  return eligible.filter(
    (node) =>
      node.agents + 1 <= node.agentsMax &&
      Object.entries(request.resources ?? {}).every(
        ([resource, amount]) => amount + (node.used?.[resource] ?? 0) <= (node.capacity?.[resource] ?? 0),
      ) &&
      !(request.ports ?? []).some((port) => node.portsUsed?.has(port)) &&
      ofType(node) + 1 <= (request.perNodeMax ?? 1e9) &&
      (request.affinities ?? []).filter(({ required }) => required).every((affinity) => meets(node, affinity)) &&
      onSite(node.site) + 1 - least <= (request.spread?.skewMax ?? 1e9),
  );
}
