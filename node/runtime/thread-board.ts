const heard = 0;
const current = 1;
const enteredAt = 2;
const firstSeat = 3;
const cellsOfSeat = 2;
const begunAt = 0;
const busy = 1;

/** A clock that all threads of a process share, and that never jumps, ms. */
function sharedNowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/**
 * What a thread shows of itself even while it is too busy to be asked: memory that it shares with the node, which only
 * the thread writes, except that the node clears a seat. A seat is the place of one agent in the thread, from 0 on.
 * Times are of one clock. Aligned numbers of 8 bytes are written whole on the machines that Node runs on.
 */
export class ThreadBoard {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Float64Array;
  readonly #aheadMs: number;
  readonly #performance = performance;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#cells = new Float64Array(memory);
    this.#aheadMs = sharedNowMs() - this.#performance.now();
  }

  static forSeats(seats: number): ThreadBoard {
    const cells = firstSeat + cellsOfSeat * seats;
    return new ThreadBoard(new SharedArrayBuffer(cells * Float64Array.BYTES_PER_ELEMENT));
  }

  nowMs(): number {
    return this.#performance.now() + this.#aheadMs;
  }

  // ---- what the node reads ----

  /** When the thread last took something that it was told. */
  get heardMs(): number {
    return this.#cells[heard] ?? 0;
  }

  /** Whose code the thread is at, or was at last when it ended in it; undefined when it is at nobody's. */
  get currentSeat(): number | undefined {
    const seat = (this.#cells[current] ?? 0) - 1;
    return seat < 0 ? undefined : seat;
  }

  /** When the thread began what the seat was told to do; 0 while it has not. */
  begunMs(seat: number): number {
    return this.#cells[cellOf(seat, begunAt)] ?? 0;
  }

  /** How long the thread was at the seat's code since then. */
  busyMs(seat: number): number {
    const begun = this.#cells[cellOf(seat, busy)] ?? 0;
    return this.currentSeat === seat ? begun + this.nowMs() - (this.#cells[enteredAt] ?? 0) : begun;
  }

  /** The seat is told to do something, or nothing more. */
  clear(seat: number): void {
    this.#cells[cellOf(seat, begunAt)] = 0;
  }

  // ---- what the thread writes ----

  hear(): void {
    this.#cells[heard] = this.nowMs();
  }

  begin(seat: number): void {
    const cells = this.#cells;
    const nowMs = this.nowMs();
    cells[cellOf(seat, busy)] = 0;
    cells[cellOf(seat, begunAt)] = nowMs;
    cells[enteredAt] = nowMs;
  }

  /** The thread goes on with this seat's code, or with nobody's. */
  enter(seat: number | undefined): void {
    const cells = this.#cells;
    const nowMs = this.nowMs();
    const before = this.currentSeat;
    if (before !== undefined) {
      const cell = cellOf(before, busy);
      cells[cell] = (cells[cell] ?? 0) + nowMs - (cells[enteredAt] ?? 0);
    }
    cells[enteredAt] = nowMs;
    cells[current] = seat === undefined ? 0 : seat + 1;
  }
}

const cellOf = (seat: number, which: number): number => firstSeat + cellsOfSeat * seat + which;
