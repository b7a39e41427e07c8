import { type MarkName, markNames } from './catalog.ts';

/** How often each mark was hit, in one run or in many; plain JSON. Marks that were not hit may be missing. */
export type Hits = { [K in MarkName]?: number };

/** Adds up the hits of many runs. */
export function mergeHits(runs: Iterable<Hits>): Hits {
  const sum: Hits = {};
  for (const hits of runs) {
    for (const name of markNames) {
      const count = hits[name] ?? 0;
      if (count > 0) sum[name] = (sum[name] ?? 0) + count;
    }
  }
  return sum;
}

/** The marks that were never hit: what the runs did not reach. */
export function unhit(hits: Hits): MarkName[] {
  return markNames.filter((name) => (hits[name] ?? 0) === 0);
}
