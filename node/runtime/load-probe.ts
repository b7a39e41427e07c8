import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoadSample } from '../core/event.ts';

const resolutionMs = 20;

/** Measures this process: share of a core, resident memory, and how late its event loop is. */
export class LoadProbe {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  #cpu = process.cpuUsage();
  #atMs = performance.now();

  constructor() {
    this.#delay.enable();
  }

  /** What happened since the last sample. */
  sample(): LoadSample {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsedMs = Math.max(1, nowMs - this.#atMs);
    this.#cpu = process.cpuUsage();
    this.#atMs = nowMs;
    const p99Ms = this.#delay.percentile(99) / 1e6;
    this.#delay.reset();
    return {
      cpu: (user + system) / 1_000 / elapsedMs,
      memoryBytes: process.memoryUsage.rss(),
      loopDelayMs: Math.max(0, p99Ms - resolutionMs),
    };
  }

  stop(): void {
    this.#delay.disable();
  }
}
