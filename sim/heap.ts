/** One thing that is going to happen at a virtual time. */
export interface Planned {
  atMs: number;
  /** Order of planning: what was planned first for a moment happens first. */
  sequence: number;
  run: () => void;
}

/** Most things on the way at a time: a world that plans more has run away. */
const plannedMax = 1_000_000;

/** Binary heap of what is to come, by (virtual time, sequence). */
export class Heap {
  readonly #items: Planned[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The next in line, which stays. */
  peek(): Planned | undefined {
    return this.#items[0];
  }

  /** Throws a RangeError at `plannedMax`. */
  push(item: Planned): void {
    const items = this.#items;
    if (items.length >= plannedMax) throw new RangeError(`more than ${plannedMax} things are planned: a runaway world`);
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent] as Planned)) break;
      items[at] = items[parent] as Planned;
      at = parent;
    }
    items[at] = item;
  }

  pop(): Planned | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1] as Planned, items[child] as Planned)) child += 1;
      if (!before(items[child] as Planned, last)) break;
      items[at] = items[child] as Planned;
      at = child;
    }
    items[at] = last;
    return first;
  }
}

function before(one: Planned, other: Planned): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.sequence < other.sequence);
}
