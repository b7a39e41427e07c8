import type { Strategy } from './strategy.ts';

/** More than any node's gossiped load: the count of agents, which the log knows exactly, comes first. */
const cpuMax = 1_000;

/** The node with the fewest agents; among equals the one whose processor is least busy. */
export const leastLoaded: Strategy = {
  name: 'least_loaded',
  score({ agents, cpu }) {
    const busy = Math.min(Math.max(cpu, 0), cpuMax);
    return { score: -agents - busy / (cpuMax + 1), why: `${agents} agents, cpu ${cpu.toFixed(2)}` };
  },
};
