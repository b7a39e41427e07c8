/** Which nodes changed lately, by rank, for any number of readers that each read on from where they were. */
export class ChangeRing {
  readonly #ranks: Int32Array;
  #end = 0;

  constructor(size: number) {
    this.#ranks = new Int32Array(size);
  }

  /** How many changes there have been: where a reader that has seen all of them stands. */
  get end(): number {
    return this.#end;
  }

  add(rank: number): void {
    this.#ranks[this.#end % this.#ranks.length] = rank;
    this.#end += 1;
  }

  /** Whether what came after this place is still known. */
  knows(from: number): boolean {
    return this.#end - from <= this.#ranks.length;
  }

  at(place: number): number {
    return this.#ranks[place % this.#ranks.length] as number;
  }
}
