import type { Strategy } from './strategy.ts';

/** More cores than any node has. A busier one counts as this busy, so that the agents always come first. */
const cpuMax = 1_000;

/**
 * The node with the fewest agents; among equals the one whose processor is least busy. The log knows the agents
 * exactly, and the load is hearsay that lags: the other order would send every agent of a deployment to one idle node.
 */
export const leastLoaded: Strategy = {
  name: 'least_loaded',
  score({ agents, cpu }) {
    const busy = Number.isFinite(cpu) ? Math.min(Math.max(cpu, 0), cpuMax) : 0;
    const why = `${agents} ${agents === 1 ? 'agent' : 'agents'}, cpu ${busy.toFixed(2)}`;
    // 0 - x, since -0 is another number than 0 to whoever compares decisions.
    return { score: 0 - agents - busy / (cpuMax + 1), why };
  },
};
