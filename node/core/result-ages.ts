/** Marks of time that are kept: an age is known to this part of the most. */
const marksMax = 64;

/**
 * When an agent's steps were taken, roughly and by this host's clock: enough to forget results by their age. A new host
 * knows no ages, so it keeps what it took over for the whole time once more.
 */
export class ResultAges {
  readonly #ageMsMax: number;
  #marks: { sequence: number; atMs: number }[] = [];
  #keptFrom = 0;

  constructor(ageMsMax: number) {
    this.#ageMsMax = ageMsMax;
  }

  /** Steps below this one are older than they may be. */
  get keptFrom(): number {
    return this.#keptFrom;
  }

  /** Says up to which step there is something now; call it now and then. */
  note(nowMs: number, sequence: number): void {
    const last = this.#marks.at(-1);
    if (last === undefined || nowMs - last.atMs >= this.#ageMsMax / marksMax)
      this.#marks.push({ sequence, atMs: nowMs });
    for (let [first] = this.#marks; first !== undefined && nowMs - first.atMs > this.#ageMsMax; [first] = this.#marks) {
      this.#keptFrom = first.sequence + 1;
      this.#marks.shift();
    }
  }
}
