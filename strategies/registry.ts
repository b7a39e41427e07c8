import { leastLoaded } from './least-loaded.ts';
import { roundRobin } from './round-robin.ts';
import type { Strategy } from './strategy.ts';

/** The strategies by name. */
export const strategies: ReadonlyMap<string, Strategy> = new Map(
  [roundRobin, leastLoaded].map((strategy) => [strategy.name, strategy]),
);
