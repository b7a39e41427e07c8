import type { Candidate } from './candidate.ts';
import type { Need } from './need.ts';
import type { Reason } from './reason.ts';
import type { SiteStanding } from './strategy.ts';

/** How many agents of a type each site has, and which of the sites could take one more. */
export class SiteSpread {
  readonly #counts: ReadonlyMap<string, number>;
  readonly #least: number;
  readonly #most: number;

  /** `eligible`: sites with a node that could take the agent if it had room. */
  constructor(counts: ReadonlyMap<string, number>, eligible: Iterable<string>) {
    this.#counts = counts;
    let [least, most] = [Number.POSITIVE_INFINITY, 0];
    for (const site of eligible) {
      const count = counts.get(site) ?? 0;
      least = Math.min(least, count);
      most = Math.max(most, count);
    }
    this.#least = Math.min(least, most);
    this.#most = most;
  }

  static of(candidates: readonly Candidate[], eligible: readonly Candidate[], { agentType }: Need): SiteSpread {
    const counts = new Map<string, number>();
    for (const { site, byType } of candidates)
      counts.set(site, (counts.get(site) ?? 0) + (byType?.get(agentType) ?? 0));
    return new SiteSpread(counts, new Set(eligible.map(({ site }) => site)));
  }

  standing(site: string): SiteStanding {
    return { count: this.#counts.get(site) ?? 0, least: this.#least, most: this.#most };
  }

  /** Why no node of the site can take the agent; undefined where one could. */
  whyNot(site: string, { spread }: Need): Reason | undefined {
    const skewMax = spread?.skewMax;
    const { count, least } = this.standing(site);
    if (skewMax === undefined || count + 1 - least <= skewMax) return undefined;
    return { code: 'spread', site, count, least, skewMax };
  }
}
