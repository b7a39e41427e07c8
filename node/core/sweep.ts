import type { Write } from './effect.ts';

/** So many records go in one turn. */
const turnMax = 256;

/**
 * Takes records off the disk that nothing names any more: as many as a turn takes, and the rest in turns to come. After a
 * crash between them a node finds them as strays.
 */
export class Sweep {
  readonly #rest = new Map<string, Iterator<string>[]>();

  /** Begins with these of an agent, in the batch after which nothing names them. */
  begin(agent: string, stale: Iterable<string>): Write[] {
    const keys = stale[Symbol.iterator]();
    const writes = next(keys, turnMax);
    if (writes.length < turnMax) return writes;
    const rest = this.#rest.get(agent);
    if (rest === undefined) this.#rest.set(agent, [keys]);
    else rest.push(keys);
    return writes;
  }

  /** All that is left of an agent: another one of its name may use these keys anew. */
  finish(agent: string): Write[] {
    const rest = this.#rest.get(agent) ?? [];
    this.#rest.delete(agent);
    return rest.flatMap((keys) => next(keys, Number.POSITIVE_INFINITY));
  }

  /** The next ones. */
  tick(): Write[] {
    for (const [agent, [keys, ...others]] of this.#rest) {
      const writes = keys === undefined ? [] : next(keys, turnMax);
      if (writes.length < turnMax) {
        if (others.length === 0) this.#rest.delete(agent);
        else this.#rest.set(agent, others);
      }
      if (writes.length > 0) return writes;
    }
    return [];
  }
}

function next(keys: Iterator<string>, most: number): Write[] {
  const writes: Write[] = [];
  while (writes.length < most) {
    const { done, value } = keys.next();
    if (done === true) break;
    writes.push({ key: value, value: undefined });
  }
  return writes;
}
