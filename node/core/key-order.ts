/** Items that have a key, in the order in which they came: of each key only the first may go on. */
export class KeyOrder<T> {
  readonly #byKey = new Map<string, T[]>();

  enter(key: string, item: T): void {
    const items = this.#byKey.get(key);
    if (items === undefined) this.#byKey.set(key, [item]);
    else items.push(item);
  }

  isFirst(key: string, item: T): boolean {
    return this.#byKey.get(key)?.[0] === item;
  }

  /** Those that may not go on yet, of each key in their order. */
  *behind(): Generator<T> {
    for (const [, ...behind] of this.#byKey.values()) yield* behind;
  }

  /** Takes it out, wherever it stands; returns the one that is first from now on, when that is another. */
  leave(key: string, item: T): T | undefined {
    const items = this.#byKey.get(key) ?? [];
    const at = items.indexOf(item);
    if (at === -1) return undefined;
    items.splice(at, 1);
    if (items.length === 0) this.#byKey.delete(key);
    return at === 0 ? items[0] : undefined;
  }
}
