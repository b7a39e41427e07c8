import type { Candidate } from './candidate.ts';
import type { Need } from './need.ts';
import type { Reason } from './reason.ts';
import type { SiteStanding } from './strategy.ts';

const none: SiteStanding = { count: 0, least: 0, most: 0 };

/** How many agents of a type each site has, and which of the sites could take one more. */
export class SiteSpread {
  readonly #counts = new Map<string, number>();
  readonly #eligible = new Set<string>();
  #least = 0;
  #most = 0;

  /** `eligible`: sites with a node that could take the agent if it had room. */
  constructor(counts: ReadonlyMap<string, number>, eligible: Iterable<string>) {
    for (const [site, count] of counts) this.#counts.set(site, count);
    for (const site of eligible) this.#eligible.add(site);
    const there = [...this.#eligible].map((site) => this.#counts.get(site) ?? 0);
    this.#least = there.length === 0 ? 0 : there.reduce((a, b) => Math.min(a, b));
    this.#most = there.reduce((a, b) => Math.max(a, b), 0);
  }

  static of(candidates: readonly Candidate[], eligible: readonly Candidate[], { agentType }: Need): SiteSpread {
    const counts = new Map<string, number>();
    for (const { site, byType } of candidates)
      counts.set(site, (counts.get(site) ?? 0) + (byType?.get(agentType) ?? 0));
    return new SiteSpread(counts, new Set(eligible.map(({ site }) => site)));
  }

  standing(site: string): SiteStanding {
    return { count: this.#counts.get(site) ?? none.count, least: this.#least, most: this.#most };
  }

  /** Why no node of the site can take the agent; undefined where one could. */
  whyNot(site: string, { spread }: Need): Reason | undefined {
    const skewMax = spread?.skewMax;
    const { count, least } = this.standing(site);
    if (skewMax === undefined || count + 1 - least <= skewMax) return undefined;
    return { code: 'spread', site, count, least, skewMax };
  }
}
