import type { Candidate } from './candidate.ts';
import type { Affinity } from './need.ts';

/** Whether it can change only when the node itself does, and not with what is placed on it. */
export const isFixed = ({ kind }: Affinity): boolean => kind !== 'type' && kind !== 'agent';

/** How much a node has of what the affinity is to: a number of agents, else 1 or 0. */
export function presence(candidate: Candidate, { kind, to }: Affinity): number {
  switch (kind) {
    case 'type':
      return candidate.byType?.get(to) ?? 0;
    case 'agent':
      return candidate.agentIds?.has(to) === true ? 1 : 0;
    case 'node':
      return candidate.node === to || candidate.name === to ? 1 : 0;
    case 'site':
      return candidate.site === to ? 1 : 0;
    case 'label': {
      const at = to.indexOf('=');
      if (at === -1) return candidate.labels?.[to] === undefined ? 0 : 1;
      return candidate.labels?.[to.slice(0, at)] === to.slice(at + 1) ? 1 : 0;
    }
  }
}

export const isMet = (candidate: Candidate, affinity: Affinity): boolean =>
  presence(candidate, affinity) > 0 === affinity.weight > 0;

const nouns: Record<Affinity['kind'], string> = {
  type: 'agents of type',
  agent: 'agent',
  node: 'node',
  site: 'site',
  label: 'label',
};

/** "agents of type cache", "site eu". */
export const targetText = ({ kind, to }: Affinity): string => `${nouns[kind]} ${to}`;
