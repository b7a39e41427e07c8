import type { Report } from './effect.ts';
import { limits } from './settings.ts';

const recovered = 'clusterRecovered';
const rare: ReadonlySet<string> = new Set([
  recovered,
  'votersChanged',
  'memberJoined',
  'memberDead',
  'memberLeft',
  'drainBegun',
  'drainUndone',
  'drainDone',
  'agentRecovered',
]);

/**
 * What the log said of the cluster itself, kept when the log is gone: who came and went, who votes, recoveries. The
 * oldest make room, recoveries last of all.
 */
export class Audit {
  #reports: Report[] = [];

  get reports(): readonly Report[] {
    return this.#reports;
  }

  /** Takes a report of the log, if it is one of those. */
  add(report: Report): void {
    if (!rare.has(report.kind)) return;
    const isLong = JSON.stringify(report.details).length > limits.auditDetailsMax;
    this.#reports.push(isLong ? { ...report, details: {} } : report);
    if (this.#reports.length <= limits.auditMax) return;
    const oldest = this.#reports.findIndex(({ kind }) => kind !== recovered);
    this.#reports.splice(Math.max(0, oldest), 1);
  }

  load(reports: readonly Report[]): void {
    this.#reports = [...reports];
  }
}
