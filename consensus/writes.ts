/** What a node has handed out for its disk and not heard of since, oldest first. */
export class Writes {
  readonly #stallMsMax: number;
  #waiting: { write: object; sinceMs: number }[] = [];

  constructor(stallMsMax: number) {
    this.#stallMsMax = stallMsMax;
  }

  began(write: object, nowMs: number): void {
    this.#waiting.push({ write, sinceMs: nowMs });
  }

  /** It came through, and all before it. */
  ended(write: object): void {
    const place = this.#waiting.findIndex((waiting) => waiting.write === write);
    if (place >= 0) this.#waiting.splice(0, place + 1);
  }

  /** From when on the disk is to be called stuck; Infinity: it owes nothing. */
  get stalledFromMs(): number {
    const oldest = this.#waiting[0];
    return oldest === undefined ? Number.POSITIVE_INFINITY : oldest.sinceMs + this.#stallMsMax;
  }
}
