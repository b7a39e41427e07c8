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
  const rank = majorityOf(values.length);
  // A leader asks at every event, and of few voters: counting costs less than sorting.
  for (const value of values) {
    let above = 0;
    let equal = 0;
    for (const other of values) {
      if (other > value) above += 1;
      else if (other === value) equal += 1;
    }
    if (above < rank && above + equal >= rank) return value;
  }
  return Number.NEGATIVE_INFINITY;
}
