export interface BackoffLimits {
  /** After the first failure, ms; doubled with each further one. */
  msMin: number;
  msMax: number;
  /** Failures further apart than this are not a row of them, ms. */
  calmMs: number;
}

/** By name: how long what failed lately is to be left alone, twice as long after each failure of a row. */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #failed = new Map<string, { failures: number; failedMs: number; untilMs: number }>();

  constructor(limits: BackoffLimits) {
    this.#limits = limits;
  }

  /** `earlier`: failures of the row that somebody else saw, at least. */
  fail(name: string, nowMs: number, earlier = 0): void {
    const { msMin, msMax, calmMs } = this.#limits;
    for (const [other, { failedMs }] of this.#failed) if (nowMs - failedMs >= calmMs) this.#failed.delete(other);
    const failures = Math.max(this.#failed.get(name)?.failures ?? 0, earlier) + 1;
    const untilMs = nowMs + Math.min(msMax, msMin * 2 ** (failures - 1));
    this.#failed.set(name, { failures, failedMs: nowMs, untilMs });
  }

  isOver(name: string, nowMs: number): boolean {
    return nowMs >= (this.#failed.get(name)?.untilMs ?? 0);
  }

  /** How long it is to be left alone still, ms. */
  leftMs(name: string, nowMs: number): number {
    return Math.max(0, (this.#failed.get(name)?.untilMs ?? nowMs) - nowMs);
  }

  names(): string[] {
    return [...this.#failed.keys()];
  }

  forget(name: string): void {
    this.#failed.delete(name);
  }

  clear(): void {
    this.#failed.clear();
  }
}
