import { Heap } from './heap.ts';

/** Virtual time and what is planned in it. Nothing here waits: time jumps to the next planned moment. */
export class Timeline {
  readonly #heap = new Heap();
  #sequence = 0;
  #nowMs = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Plans something; a moment that has passed counts as now. */
  at(atMs: number, run: () => void): void {
    this.#heap.push({ atMs: Math.max(atMs, this.#nowMs), sequence: this.#sequence++, run });
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#nowMs + delayMs, run);
  }

  /** When the next thing happens; infinity when nothing is planned. */
  nextMs(): number {
    return this.#heap.peek()?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Lets the next thing happen; false when there was none. */
  step(): boolean {
    const next = this.#heap.pop();
    if (next === undefined) return false;
    this.#nowMs = next.atMs;
    next.run();
    return true;
  }

  /** Moves on to a moment before which nothing is planned. */
  idleUntil(atMs: number): void {
    if (this.nextMs() < atMs) throw new RangeError(`something is planned before ${atMs} ms`);
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }
}
