/** How many of `voters` voters are a majority. */
export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * The largest value that a majority of the voters has reached, one value per voter. With match indexes it is the index
 * that is on a majority of disks, with times of answers the moment since when a majority has answered. -Infinity
 * without voters: nobody can decide anything.
 */
export function reachedByMajority(values: readonly number[]): number {
  if (values.length === 0) return Number.NEGATIVE_INFINITY;
  const descending = values.toSorted((a, b) => b - a);
  return descending[majorityOf(values.length) - 1] ?? Number.NEGATIVE_INFINITY;
}
