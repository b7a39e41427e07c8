import type { Outcome } from '../../sim/job.ts';
import { colors, tableOf } from './output.ts';
import { barText, durationText } from './sim-text.ts';

interface SwarmInit {
  seed: number;
  runs: number;
  jobs: number;
  /** No more are begun after so long, ms. */
  forMs: number;
  /** Goes on after a broken promise. */
  collect: boolean;
  run(seed: number): Promise<Outcome>;
  onProgress(text: () => string): void;
  /** A promise was broken, and more seeds are to come. */
  onBroken(text: string): void;
}

const brokenMax = 1_000;

/** Many seeds, some at a time: how far it is, what was covered, and what was found. */
export class Swarm {
  readonly broken: Outcome[] = [];
  /** How often each coverage mark was hit, all runs together. */
  readonly marks = new Map<string, number>();
  readonly #init: SwarmInit;
  readonly #startedMs = performance.now();
  #next: number;
  #done = 0;
  #virtualMs = 0;
  #acknowledged = 0;
  #faults = 0;
  #elapsedMs = 0;

  constructor(init: SwarmInit) {
    this.#init = init;
    this.#next = init.seed;
  }

  /** Runs until all are done, a promise is broken (unless all are to be collected), or it is interrupted. */
  async run(isInterrupted: () => boolean): Promise<void> {
    const { jobs, seed, runs, collect, forMs } = this.#init;
    const goesOn = (): boolean =>
      this.#next < seed + runs &&
      performance.now() - this.#startedMs < forMs &&
      (collect || this.broken.length === 0) &&
      !isInterrupted();
    const one = async (): Promise<void> => {
      while (goesOn()) {
        try {
          this.#take(await this.#init.run(this.#next++));
        } catch (error) {
          if (isInterrupted()) return;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, runs) }, one));
    this.#elapsedMs = performance.now() - this.#startedMs;
    this.broken.sort((a, b) => Number(a.plan.seed) - Number(b.plan.seed));
  }

  #take(outcome: Outcome): void {
    this.#done += 1;
    const { virtualMs, counts, ok, violation } = outcome.verdict;
    this.#virtualMs += virtualMs;
    this.#acknowledged += counts['acknowledged'] ?? 0;
    this.#faults += counts['faults'] ?? 0;
    if (!ok && this.broken.length < brokenMax) this.broken.push(outcome);
    for (const [mark, hits] of Object.entries(outcome.marks)) this.marks.set(mark, (this.marks.get(mark) ?? 0) + hits);
    const { runs, collect } = this.#init;
    if (violation && collect) this.#init.onBroken(`seed ${outcome.plan.seed}: ${violation.checker}: ${violation.what}`);
    this.#init.onProgress(() => barText(this.#done, runs, performance.now() - this.#startedMs, this.broken.length));
  }

  toText(): string {
    const elapsedMs = this.#elapsedMs;
    const rate = ((this.#done / elapsedMs) * 3_600_000).toFixed(0);
    const lines = [
      `${this.#done} of ${this.#init.runs} seeds in ${durationText(Math.round(elapsedMs / 1_000))} (${rate} an hour)`,
      `${(this.#virtualMs / 3_600_000).toFixed(2)} h of virtual time · ${this.#faults} faults · ${this.#acknowledged} tasks acknowledged`,
    ];
    if (this.broken.length === 0) return lines.join('\n');
    const rows = this.broken
      .slice(0, 20)
      .map(({ plan, verdict }) => [
        plan.seed,
        verdict.violation?.checker ?? '',
        `${((verdict.violation?.atMs ?? 0) / 1_000).toFixed(1)} s`,
        (verdict.violation?.what ?? '').split('\n', 1)[0]?.slice(0, 90) ?? '',
      ]);
    const more = this.broken.length > rows.length ? [`… and ${this.broken.length - rows.length} more`] : [];
    return [
      ...lines,
      colors.red(`${this.broken.length === 1 ? '1 seed' : `${this.broken.length} seeds`} broke a promise`),
      tableOf(['seed', 'checker', 'at', 'what'], rows),
      ...more,
    ].join('\n');
  }

  toJson(): Record<string, unknown> {
    return {
      ok: this.broken.length === 0,
      firstSeed: this.#init.seed,
      runs: this.#done,
      wanted: this.#init.runs,
      virtualMs: this.#virtualMs,
      elapsedMs: Math.round(this.#elapsedMs),
      acknowledged: this.#acknowledged,
      faults: this.#faults,
      marks: Object.fromEntries(this.marks),
      broken: this.broken.map(({ plan, verdict }) => ({
        seed: plan.seed,
        hash: verdict.hash,
        violation: verdict.violation,
      })),
    };
  }
}
