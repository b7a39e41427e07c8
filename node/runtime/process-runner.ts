import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProcess } from './agent-process.ts';
import type { LineChannelEvents } from './line-channel.ts';
import { defaultLineLimits, type LineLimits } from './line-limits.ts';
import { type LineInstance, LineRunner, type StartOrder } from './line-runner.ts';
import { ModuleFiles } from './module-files.ts';
import type { Runner, RunnerEvents } from './ports.ts';
import { ProcessTable, type Usage, usageBySession } from './process-table.ts';

export interface ProcessLimits extends LineLimits {
  /** Resident, of the process and its children together; measured now and then. */
  memoryMbMax: number;
  /** Processor time of one task, or of a start, with its children. */
  cpuMsMax: number;
  /** From SIGTERM to SIGKILL. */
  graceMs: number;
  filesMax: number;
}

export const defaultProcessLimits: ProcessLimits = {
  ...defaultLineLimits,
  memoryMbMax: 256,
  cpuMsMax: 20_000,
  graceMs: 500,
  filesMax: 512,
};

export interface ProcessRunnerInit {
  /** The node's own: code, scratch directories and the table of processes. */
  directory: string;
  /** Name → absolute path: what the node's operator allows. */
  interpreters: ReadonlyMap<string, string>;
  events: RunnerEvents;
  limits?: Partial<ProcessLimits>;
  /** What agents print, a line at a time. */
  log?: (agent: string, line: string) => void;
}

const mb = 1024 * 1024;
/**
 * The system's own limit stands above the measured one, for what grows faster than is measured: by as much as engines
 * such as V8 reserve without using it.
 */
const reservedMb = 1_024;

/**
 * Makes a runner of `process` agents and ends what an earlier start of this node left running. Throws what the file system
 * throws when the directory cannot be made.
 */
export function createProcessRunner(init: ProcessRunnerInit): Runner {
  const limits = { ...defaultProcessLimits, ...init.limits };
  const processes = new Processes(init, limits);
  const runner: LineRunner<AgentProcess> = new LineRunner({
    limits,
    events: init.events,
    open: (order, events) => processes.open(order, events),
    begins: ({ channel }) => processes.forgetTime(channel),
    look: () => processes.judgeAll(runner),
  });
  return runner;
}

/**
 * Each agent is a process of its own. Apart from the limits it has the rights of the node's user: it is kept from harming
 * by accident, not by force.
 */
class Processes {
  readonly #init: ProcessRunnerInit;
  readonly #limits: ProcessLimits;
  readonly #files: ModuleFiles;
  readonly #table: ProcessTable;
  readonly #scratch: string;
  /** Processor time when what is running began; none: not measured yet. */
  readonly #cpuMsBefore = new WeakMap<AgentProcess, number>();

  constructor(init: ProcessRunnerInit, limits: ProcessLimits) {
    this.#init = init;
    this.#limits = limits;
    this.#files = new ModuleFiles(join(init.directory, 'code'), limits.filesMax, 'code');
    this.#table = new ProcessTable(join(init.directory, 'running'));
    this.#scratch = join(init.directory, 'scratch');
    rmSync(this.#scratch, { recursive: true, force: true });
    mkdirSync(this.#scratch, { recursive: true, mode: 0o700 });
  }

  open({ agent, source, interpreter = '' }: StartOrder, { line, broken }: LineChannelEvents): AgentProcess {
    const { interpreters, log } = this.#init;
    const path = interpreters.get(interpreter);
    if (path === undefined) throw new Error(`this node has no interpreter "${interpreter}"`);
    const { memoryMbMax, lineBytesMax, graceMs, lineLengthMax, linesPerSMax } = this.#limits;
    const opened = new AgentProcess({
      interpreter: path,
      file: this.#files.fileOf(source),
      scratch: this.#scratch,
      table: this.#table,
      dataMbMax: memoryMbMax + reservedMb,
      lineBytesMax,
      graceMs,
      printed: { lineLengthMax, linesPerSMax, write: (text) => log?.(agent, text) },
      onLine: line,
      onBroken: broken,
    });
    this.#cpuMsBefore.set(opened, 0);
    return opened;
  }

  forgetTime(channel: AgentProcess | undefined): void {
    if (channel !== undefined) this.#cpuMsBefore.delete(channel);
  }

  async judgeAll(runner: LineRunner<AgentProcess>): Promise<void> {
    const usage = await usageBySession();
    for (const instance of runner.all) {
      const { channel } = instance;
      const used = usage.get(channel?.pid ?? 0);
      const problem = channel && used && this.#problemOf(instance, channel, used);
      if (problem !== undefined) runner.fail(instance, problem);
    }
  }

  #problemOf(
    { started, running }: LineInstance<AgentProcess>,
    channel: AgentProcess,
    { residentBytes, cpuMs }: Usage,
  ): string | undefined {
    const { memoryMbMax, cpuMsMax } = this.#limits;
    if (residentBytes > memoryMbMax * mb) {
      return `it needs more than the ${memoryMbMax} MB of memory that an agent has`;
    }
    if (started && running === undefined) return undefined;
    const before = this.#cpuMsBefore.get(channel) ?? cpuMs;
    this.#cpuMsBefore.set(channel, before);
    if (cpuMs - before <= cpuMsMax) return undefined;
    const during = running === undefined ? 'its start' : `task ${running}`;
    return `${during} took more than ${cpuMsMax} ms of processor time`;
  }
}
