import { affinityBased } from './affinity-based.ts';
import { capabilityMatch } from './capability-match.ts';
import { leastLoaded } from './least-loaded.ts';
import { resourceOptimal } from './resource-optimal.ts';
import { roundRobin } from './round-robin.ts';
import type { Strategy } from './strategy.ts';

/** The strategies by the name that a deployment gives; the keys are the list of names, the default first. */
export const strategies: ReadonlyMap<string, Strategy> = new Map(
  [leastLoaded, roundRobin, capabilityMatch, resourceOptimal, affinityBased].map((strategy) => [
    strategy.name,
    strategy,
  ]),
);
