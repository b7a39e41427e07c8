const windowMs = 1_000;

/** Lets so much through within a second, and no more until the next one. */
export class RateLimit {
  readonly #perSMax: number;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #passed = 0;

  constructor(perSMax: number) {
    this.#perSMax = perSMax;
  }

  /** Whether one more may pass now, which is counted then. `nowMs` is from a clock that does not jump. */
  passes(nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#passed = 0;
    }
    if (this.#passed >= this.#perSMax) return false;
    this.#passed += 1;
    return true;
  }
}
