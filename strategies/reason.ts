import { targetText } from './affinity.ts';
import type { Affinity } from './need.ts';

/** Why a node cannot take an agent, as data: a code and the numbers that belong to it. */
export type Reason =
  | { code: 'draining' }
  | { code: 'degraded' }
  | { code: 'dedicated'; types: readonly string[] }
  | { code: 'tainted'; taints: readonly string[] }
  | { code: 'capability'; missing: readonly string[] }
  | { code: 'place'; affinity: Affinity }
  | { code: 'agents'; agentsMax: number }
  | { code: 'resource'; resource: string; wanted: number; free: number }
  | { code: 'port'; ports: readonly number[] }
  | { code: 'per_node'; agentType: string; most: number }
  | { code: 'company'; affinity: Affinity }
  | { code: 'spread'; site: string; count: number; least: number; skewMax: number };

export type ReasonCode = Reason['code'];

/** An amount of a resource in words: "200 MB of memory", "1.5 cores of cpu", "2 of licence". */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return `${amount / 1_000} cores of cpu`;
  return resource === 'memory' ? `${amount} MB of memory` : `${amount} of ${resource}`;
}

const plural = (list: readonly unknown[], one: string, more: string): string => (list.length === 1 ? one : more);

const affinityText = (affinity: Affinity): string =>
  affinity.weight > 0 ? `is not with ${targetText(affinity)}` : `is with ${targetText(affinity)}`;

const texts: { [C in ReasonCode]: (reason: Extract<Reason, { code: C }>) => string } = {
  draining: () => 'is draining',
  degraded: () => 'is degraded',
  dedicated: ({ types }) => `is kept for ${types.join(', ')}`,
  tainted: ({ taints }) => `has ${plural(taints, 'taint', 'taints')} ${taints.join(', ')}`,
  capability: ({ missing }) => `lacks ${plural(missing, 'capability', 'capabilities')} ${missing.join(', ')}`,
  place: ({ affinity }) => affinityText(affinity),
  agents: ({ agentsMax }) => `has its most agents (${agentsMax})`,
  resource: ({ resource, wanted, free }) =>
    `lacks ${amountText(resource, wanted - free)} (${free} free, ${wanted} wanted)`,
  port: ({ ports }) => `has ${plural(ports, 'port', 'ports')} ${ports.join(', ')} in use`,
  per_node: ({ agentType, most }) => `has its most agents of type ${agentType} (${most})`,
  company: ({ affinity }) => affinityText(affinity),
  spread: ({ site, count, least, skewMax }) =>
    `is on site ${site}, which has ${count} of its type while another has ${least} (most apart ${skewMax})`,
};

/** In plain words that follow the name of the node. */
export function reasonText(reason: Reason): string {
  return (texts[reason.code] as (reason: Reason) => string)(reason);
}
