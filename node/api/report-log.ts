import type { Report } from '../core/effect.ts';

/** Where the event stream comes from. */
export interface ReportSource {
  /**
   * The stored reports behind log index `index`, oldest first; 0 means all. Reports that only this node saw (index 0)
   * are among them when they came after the last one up to `index`.
   */
  since(index: number): Report[];
  /** Calls `listener` with every report from now on, until the function that it returns is called. */
  subscribe(listener: (report: Report) => void): () => void;
}

const reportsMaxDefault = 10_000;

/** The last reports of this node, in the order in which they came; older ones make room for newer ones. */
export class ReportLog implements ReportSource {
  readonly #reportsMax: number;
  readonly #ring: Report[] = [];
  readonly #listeners = new Set<(report: Report) => void>();
  /** Where the oldest is, once the ring is full. */
  #oldest = 0;

  constructor(reportsMax = reportsMaxDefault) {
    this.#reportsMax = reportsMax;
  }

  append(report: Report): void {
    if (this.#ring.length < this.#reportsMax) this.#ring.push(report);
    else {
      this.#ring[this.#oldest] = report;
      this.#oldest = (this.#oldest + 1) % this.#reportsMax;
    }
    for (const listener of [...this.#listeners]) listener(report);
  }

  since(index: number): Report[] {
    const inOrder = [...this.#ring.slice(this.#oldest), ...this.#ring.slice(0, this.#oldest)];
    if (index <= 0) return inOrder;
    return inOrder.slice(inOrder.findLastIndex((report) => report.index > 0 && report.index <= index) + 1);
  }

  subscribe(listener: (report: Report) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
