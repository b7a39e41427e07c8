import type { Report } from '../core/effect.ts';
import { kvChanged } from '../core/kv-apply.ts';

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
/** There may be thousands a second of these: they must not push out what happened to nodes and agents. */
const kvReportsMaxDefault = 1_000;

/** A report, and how many this node had seen before it. */
interface Seen {
  at: number;
  report: Report;
}

/** The last of one sort of reports; older ones make room for newer ones. */
class Ring {
  readonly #max: number;
  readonly #ring: Seen[] = [];
  /** Where the oldest is, once the ring is full. */
  #oldest = 0;

  constructor(max: number) {
    this.#max = max;
  }

  push(seen: Seen): void {
    if (this.#ring.length < this.#max) this.#ring.push(seen);
    else {
      this.#ring[this.#oldest] = seen;
      this.#oldest = (this.#oldest + 1) % this.#max;
    }
  }

  inOrder(): Seen[] {
    return [...this.#ring.slice(this.#oldest), ...this.#ring.slice(0, this.#oldest)];
  }
}

/** The last reports of this node, in the order in which they came. */
export class ReportLog implements ReportSource {
  readonly #reports: Ring;
  readonly #kvReports: Ring;
  readonly #listeners = new Set<(report: Report) => void>();
  #count = 0;

  constructor(reportsMax = reportsMaxDefault, kvReportsMax = kvReportsMaxDefault) {
    this.#reports = new Ring(reportsMax);
    this.#kvReports = new Ring(kvReportsMax);
  }

  append(report: Report): void {
    const ring = report.kind === kvChanged ? this.#kvReports : this.#reports;
    ring.push({ at: this.#count, report });
    this.#count += 1;
    if (this.#listeners.size > 0) for (const listener of [...this.#listeners]) listener(report);
  }

  since(index: number): Report[] {
    const both = [...this.#reports.inOrder(), ...this.#kvReports.inOrder()];
    const inOrder = both.sort((a, b) => a.at - b.at).map(({ report }) => report);
    if (index <= 0) return inOrder;
    return inOrder.slice(inOrder.findLastIndex((report) => report.index > 0 && report.index <= index) + 1);
  }

  subscribe(listener: (report: Report) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
