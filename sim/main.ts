import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, workerData } from 'node:worker_threads';
import { consensusDetectors, consensusMarks } from './consensus/marks.ts';
import { catalog } from './marks/catalog.ts';
import type { Plan } from './plan.ts';
import { Pool, workerMark } from './pool.ts';
import { serve } from './worker.ts';

export { drawConsensusPlan } from './consensus/plan.ts';
/** What whoever runs simulations needs: the command line, the benchmarks. The built program is one file, dist/sim.mjs. */
export { ambientKinds, faultKinds, faultNames, faults } from './faults/catalog.ts';
export { drawPlan, faultsMinutesDefault, nodesMax } from './plan.ts';
export { PoolClosed } from './pool.ts';
export { ReplayRefused, readReplay, replayText } from './replay.ts';
export { reportPage } from './report/page.ts';
export { runPlan, runSeed } from './run.ts';
export { Simulation } from './simulation.ts';
export * as speeds from './speed.ts';

/** What the coverage marks of such runs mean, by name. */
export function markSentences(alone: Plan['alone']): Readonly<Record<string, string>> {
  if (alone === undefined) return catalog;
  const all: Record<string, string> = { ...catalog, ...consensusMarks };
  return Object.fromEntries(Object.keys(consensusDetectors).map((name) => [name, all[name] ?? '']));
}

/** The hash of this program's code: a run is the same only on the same code. */
export function programHash(): string {
  return createHash('sha256')
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .digest('hex');
}

/** The text of the report page's own program. */
export function reportViewer(): string {
  return readFileSync(new URL('./report-viewer.js', import.meta.url), 'utf8');
}

export function createPool(): Pool {
  return new Pool(new URL(import.meta.url));
}

if (!isMainThread && workerData === workerMark) serve();
