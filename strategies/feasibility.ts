import type { Candidate, PlacementRequest } from './strategy.ts';

/** Why a node cannot take the agent, in plain words that follow its name; undefined when it can. */
export function whyInfeasible(candidate: Candidate, request: PlacementRequest): string | undefined {
  if (candidate.draining) return 'is draining';
  const missing = request.capabilities.filter((capability) => !candidate.capabilities.includes(capability));
  if (missing.length > 0) return `lacks ${missing.length === 1 ? 'capability' : 'capabilities'} ${missing.join(', ')}`;
  if (candidate.agents >= candidate.agentsMax) return `has its most agents (${candidate.agentsMax})`;
  return undefined;
}
