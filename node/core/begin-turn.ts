/** Begins what can be begun, never in the middle of something that changes what that is. */
export class BeginTurn {
  readonly #begin: () => void;
  #isTaken = false;
  #isWanted = false;

  /** `begin` begins all that can be begun. It may lead to `take` again. */
  constructor(begin: () => void) {
    this.#begin = begin;
  }

  /** Whatever `change` leads to: nothing is begun before it is through. */
  take(change?: () => void): void {
    if (this.#isTaken) {
      change?.();
      this.#isWanted = true;
      return;
    }
    this.#isTaken = true;
    try {
      change?.();
      do {
        this.#isWanted = false;
        this.#begin();
      } while (this.#isWanted);
    } finally {
      this.#isTaken = false;
    }
  }
}
