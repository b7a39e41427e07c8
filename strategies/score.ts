/**
 * Scores are whole numbers, so that sums of them are exact and do not depend on the order of the terms: what an index
 * adds up in parts is the same to the last digit as what is added up node by node.
 */
export const scoreMax = 1e12;
/** Steps of the greater and of the lesser half of a score. */
const steps = 1e6;
/** What the weights of a mix add up to: sums of weighted scores stay far below 2^53. */
export const weightSum = 1_000;

const step = (share: number): number => Math.floor(Math.min(1, Math.max(0, share)) * (steps - 1));

/** What matters first, and what decides among those that are equal in it; both 0 to 1. */
export const scoreOf = (first: number, second: number): number => step(first) * steps + step(second);

/** A weighted sum as people see it: 0 to 100. */
export const shownScore = (total: number): number => (total / (scoreMax * weightSum)) * 100;
