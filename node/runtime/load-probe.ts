import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoadSample } from '../core/event.ts';
import type { AgentsUse } from './agents-runner.ts';

const resolutionMs = 20;

/** Measures this process, and that of its agents: share of a core, resident memory, and how late this event loop is. */
export class LoadProbe {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  #cpu = process.cpuUsage();
  #atMs = performance.now();
  #agentsCpuMs = 0;

  constructor() {
    this.#delay.enable();
  }

  /** What happened since the last sample. `agents`: what their process has used, which may be another one than before. */
  sample(agents: AgentsUse = { cpuMs: 0, residentBytes: 0 }): LoadSample {
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsedMs = Math.max(1, nowMs - this.#atMs);
    this.#cpu = process.cpuUsage();
    this.#atMs = nowMs;
    const p99Ms = this.#delay.percentile(99) / 1e6;
    this.#delay.reset();
    const agentsMs = agents.cpuMs < this.#agentsCpuMs ? agents.cpuMs : agents.cpuMs - this.#agentsCpuMs;
    this.#agentsCpuMs = agents.cpuMs;
    return {
      cpu: ((user + system) / 1_000 + agentsMs) / elapsedMs,
      memoryBytes: process.memoryUsage.rss() + agents.residentBytes,
      loopDelayMs: Math.max(0, p99Ms - resolutionMs),
    };
  }

  stop(): void {
    this.#delay.disable();
  }
}
