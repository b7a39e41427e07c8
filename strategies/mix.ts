import type { Candidate } from './candidate.ts';
import type { Need } from './need.ts';
import { shownScore, weightSum } from './score.ts';
import type { SiteStanding, Standing, Strategy } from './strategy.ts';

export interface Part {
  readonly strategy: Strategy;
  /** Whole; those of a mix add up to `weightSum`. */
  readonly weight: number;
}

/** Strategies that count together. */
export interface Mix {
  /** As a deployment gives it: a name, or names with weights. */
  readonly name: string;
  readonly parts: readonly Part[];
}

const weightForm = /^\d{1,6}(\.\d{1,6})?$/;

export const alone = (strategy: Strategy): Mix => ({ name: strategy.name, parts: [{ strategy, weight: weightSum }] });

/** Shares of `weightSum` in proportion, whole: what rounding leaves goes to the largest remainders, the first first. */
function wholeWeights(weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  const exact = weights.map((weight) => (weight / sum) * weightSum);
  const whole = exact.map(Math.floor);
  const byRemainder = exact.map((share, at) => ({ at, rest: share - Math.floor(share) }));
  byRemainder.sort((a, b) => b.rest - a.rest || a.at - b.at);
  const left = weightSum - whole.reduce((a, b) => a + b, 0);
  for (const { at } of byRemainder.slice(0, left)) whole[at] = (whole[at] ?? 0) + 1;
  return whole;
}

/**
 * What `least_loaded`, or `least_loaded=0.7,affinity_based=0.3`, stands for; undefined when a name is not known or comes
 * twice, or a weight is no number above 0.
 */
export function mixOf(text: string, known: ReadonlyMap<string, Strategy>): Mix | undefined {
  const named = known.get(text);
  if (named !== undefined) return alone(named);
  const chosen: Strategy[] = [];
  const weights: number[] = [];
  for (const part of text.split(',')) {
    const [name = '', weight = '', ...more] = part.split('=');
    const strategy = known.get(name);
    const isWeight = weightForm.test(weight) && Number(weight) > 0;
    if (strategy === undefined || chosen.includes(strategy) || !isWeight || more.length > 0) return undefined;
    chosen.push(strategy);
    weights.push(Number(weight));
  }
  const whole = wholeWeights(weights);
  return { name: text, parts: chosen.map((strategy, at) => ({ strategy, weight: whole[at] ?? 0 })) };
}

/** The part of the sum that a node has by itself. */
export function nodeTotal({ parts }: Mix, candidate: Candidate, need: Need): number {
  let total = 0;
  for (const { strategy, weight } of parts) {
    if (strategy.score !== undefined) total += weight * strategy.score(candidate, need);
  }
  return total;
}

/** The part that all nodes of a site have. */
export function siteTotal({ parts }: Mix, site: SiteStanding): number {
  let total = 0;
  for (const { strategy, weight } of parts) total += weight * (strategy.siteScore?.(site) ?? 0);
  return total;
}

/** The part that a node has by its turn. */
export function turnTotal({ parts }: Mix, turnsUntil: number, feasible: number): number {
  let total = 0;
  for (const { strategy, weight } of parts) total += weight * (strategy.turnScore?.(turnsUntil, feasible) ?? 0);
  return total;
}

export const hasTurns = ({ parts }: Mix): boolean => parts.some(({ strategy }) => strategy.turnScore !== undefined);

export const hasSites = ({ parts }: Mix): boolean => parts.some(({ strategy }) => strategy.siteScore !== undefined);

/** The sum by part, in words. */
export function whyTotal({ parts }: Mix, candidate: Candidate, need: Need, standing: Standing): string {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only.strategy.why(candidate, need, standing);
  const texts = parts.map(({ strategy, weight }) => {
    const part =
      (strategy.score?.(candidate, need) ?? 0) +
      (need.spread === undefined ? 0 : (strategy.siteScore?.(standing.site) ?? 0)) +
      (strategy.turnScore?.(standing.turnsUntil, standing.feasible) ?? 0);
    return `${strategy.name} ${shownScore(weight * part).toFixed(2)} (${strategy.why(candidate, need, standing)})`;
  });
  return texts.join(' + ');
}
