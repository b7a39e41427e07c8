/** Wall clock of the worlds' beginning: any moment does. */
const epochMs = Date.UTC(2026, 0, 1);

/**
 * The clocks of one machine, driven by the world's time but not equal to it: a monotonic one of arbitrary origin and a
 * rate of its own, which may stand still while the machine is suspended, and a wall clock that may be off and may step.
 */
export class Clock {
  #originMs: number;
  #sinceMs: number;
  #rate: number;
  #wallOffMs: number;
  #stoppedMs: number | undefined;

  /** `rate`: its seconds in one of the world's. */
  constructor(worldMs: number, originMs: number, rate: number, wallOffMs: number) {
    this.#sinceMs = worldMs;
    this.#originMs = originMs;
    this.#rate = rate;
    this.#wallOffMs = wallOffMs;
  }

  get rate(): number {
    return this.#rate;
  }

  /** The monotonic clock, ms. */
  nowMs(worldMs: number): number {
    return this.#originMs + ((this.#stoppedMs ?? worldMs) - this.#sinceMs) * this.#rate;
  }

  /** The wall clock, whole ms since 1970. */
  wallMs(worldMs: number): number {
    return Math.round(epochMs + worldMs * this.#rate + this.#wallOffMs);
  }

  /** How long, in the world's time, until the monotonic clock shows a moment; 0 when it has passed. */
  untilMs(atMs: number, worldMs: number): number {
    return Math.max(0, (atMs - this.nowMs(worldMs)) / this.#rate);
  }

  /** From here on it goes at another rate. Neither clock jumps. */
  setRate(rate: number, worldMs: number): void {
    this.#originMs = this.nowMs(worldMs);
    this.#sinceMs = this.#stoppedMs ?? worldMs;
    this.#wallOffMs += worldMs * (this.#rate - rate);
    this.#rate = rate;
  }

  /** The wall clock is set, as an administrator or a time server does. The monotonic one knows nothing of it. */
  step(byMs: number): void {
    this.#wallOffMs += byMs;
  }

  /** The machine is suspended: when it goes on, no time has passed for it. */
  stop(worldMs: number): void {
    this.#stoppedMs ??= worldMs;
  }

  go(worldMs: number): void {
    if (this.#stoppedMs === undefined) return;
    this.#sinceMs += worldMs - this.#stoppedMs;
    this.#stoppedMs = undefined;
  }
}
