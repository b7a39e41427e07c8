import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { reasonBytes } from '../core/text.ts';
import { AgentProcess } from './agent-process.ts';
import { ModuleFiles } from './module-files.ts';
import type { Runner, RunnerEvents } from './ports.ts';
import {
  type Answer,
  describeLine,
  handleLine,
  pingLine,
  readAnswer,
  readDescription,
  readResult,
  readState,
  type StateForm,
  startLine,
} from './process-protocol.ts';
import { ProcessTable, type Usage, usageBySession } from './process-table.ts';
import { newInstance, type RunnerInstance, RunnerInstances } from './runner-instances.ts';

export interface ProcessLimits {
  /** Resident, of the process and its children together; measured now and then. */
  memoryMbMax: number;
  /** Processor time of one task, or of a start, with its children. */
  cpuMsMax: number;
  startTimeoutMs: number;
  taskTimeoutMs: number;
  /** How often an instance at rest is asked whether it still answers, and how long it has for that. */
  pingIntervalMs: number;
  pingTimeoutMs: number;
  /** From SIGTERM to SIGKILL. */
  graceMs: number;
  tasksWaitingMax: number;
  filesMax: number;
  /** Bytes of a line that an agent says: a state and a result in it. */
  lineBytesMax: number;
  /** Characters of a line that an agent prints on its error stream. */
  lineLengthMax: number;
  linesPerSMax: number;
}

export const defaultProcessLimits: ProcessLimits = {
  memoryMbMax: 256,
  cpuMsMax: 20_000,
  startTimeoutMs: 15_000,
  taskTimeoutMs: 30_000,
  pingIntervalMs: 5_000,
  pingTimeoutMs: 5_000,
  graceMs: 500,
  tasksWaitingMax: 256,
  filesMax: 512,
  lineBytesMax: 4 * 1024 * 1024,
  lineLengthMax: 2_000,
  linesPerSMax: 100,
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

type Asked = 'describe' | 'start' | 'handle' | 'goBack' | 'ping';

interface Instance extends RunnerInstance {
  agentType: string;
  process: AgentProcess | undefined;
  form: StateForm;
  /** The last checkpoint; none before the first. */
  state: Uint8Array | undefined;
  /** The last question, and what it was while there is no answer. */
  asked: number;
  pending: Asked | undefined;
  /** Why the running task is refused, while the state before it is being restored. */
  refusal: string;
  /** Processor time when what is running began; none: not measured yet. */
  cpuMsBefore: number | undefined;
  restMs: number;
}

const sweepIntervalMs = 250;
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
  return new ProcessRunner(init);
}

/**
 * Runs each agent as a process of its own that speaks JSON-RPC. Apart from the limits it has the rights of the node's
 * user: it is kept from harming by accident, not by force.
 */
class ProcessRunner implements Runner {
  readonly #init: ProcessRunnerInit;
  readonly #limits: ProcessLimits;
  readonly #files: ModuleFiles;
  readonly #table: ProcessTable;
  readonly #scratch: string;
  readonly #instances: RunnerInstances<Instance>;
  readonly #ending = new Set<Promise<void>>();
  #sweepTimer: NodeJS.Timeout | undefined;
  #sweeping = false;
  #stopped = false;

  constructor(init: ProcessRunnerInit) {
    this.#init = init;
    this.#limits = { ...defaultProcessLimits, ...init.limits };
    this.#files = new ModuleFiles(join(init.directory, 'code'), this.#limits.filesMax, 'code');
    this.#table = new ProcessTable(join(init.directory, 'running'));
    this.#scratch = join(init.directory, 'scratch');
    rmSync(this.#scratch, { recursive: true, force: true });
    mkdirSync(this.#scratch, { recursive: true, mode: 0o700 });
    this.#instances = new RunnerInstances({
      tasksWaitingMax: this.#limits.tasksWaitingMax,
      release: (instance, why) => this.#release(instance, why),
      failed: init.events.failed,
    });
  }

  start({ agent, agentType, epoch, source, interpreter = '', state }: Parameters<Runner['start']>[0]): void {
    if (this.#stopped) return;
    this.stop(agent, epoch);
    const instance: Instance = {
      ...newInstance(agent, epoch),
      ...{ agentType, state, process: undefined, form: 'json', asked: 0, pending: undefined },
      ...{ refusal: '', cpuMsBefore: 0, restMs: 0 },
    };
    this.#instances.add(instance);
    try {
      instance.process = this.#launch(instance, interpreter, source);
    } catch (error) {
      this.#instances.failSoon(instance, `it cannot be started: ${(error as Error).message}`);
      return;
    }
    this.#ask(instance, 'describe', describeLine);
    this.#instances.expectWithin(instance, this.#limits.startTimeoutMs, 'it did not start');
    this.#sweepTimer ??= setInterval(() => void this.#sweep(), sweepIntervalMs).unref();
  }

  run(agent: string, epoch: number, task: string, payload: Uint8Array): void {
    const instance = this.#instances.queue(agent, epoch, task, payload);
    if (instance !== undefined) this.#runNext(instance);
  }

  cancel(): void {}

  stop(agent: string, epoch: number): void {
    this.#instances.stop(agent, epoch);
  }

  async stopAll(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#sweepTimer);
    this.#instances.stopAll();
    await Promise.all(this.#ending);
  }

  // ---- an instance ----

  #launch(instance: Instance, interpreter: string, source: string): AgentProcess {
    const { interpreters, log } = this.#init;
    const path = interpreters.get(interpreter);
    if (path === undefined) throw new Error(`this node has no interpreter "${interpreter}"`);
    const { memoryMbMax, lineBytesMax, graceMs, lineLengthMax, linesPerSMax } = this.#limits;
    return new AgentProcess({
      interpreter: path,
      file: this.#files.fileOf(source),
      scratch: this.#scratch,
      table: this.#table,
      dataMbMax: memoryMbMax + reservedMb,
      lineBytesMax,
      graceMs,
      printed: { lineLengthMax, linesPerSMax, write: (line) => log?.(instance.agent, line) },
      onLine: (line) => this.#onLine(instance, line),
      onBroken: (reason) => this.#instances.fail(instance, reason),
    });
  }

  #ask(instance: Instance, what: Asked, line: (id: number) => string): void {
    const text = line(instance.asked + 1);
    instance.asked += 1;
    instance.pending = what;
    instance.process?.say(text);
  }

  #runNext(instance: Instance): void {
    const next = instance.pending === undefined ? this.#instances.next(instance) : undefined;
    if (next === undefined) return;
    instance.cpuMsBefore = undefined;
    try {
      this.#ask(instance, 'handle', (id) => handleLine(id, next.payload));
    } catch (error) {
      setImmediate(() =>
        this.#finish(instance, false, reasonBytes(`the task is not JSON: ${(error as Error).message}`)),
      );
      return;
    }
    this.#instances.expectWithin(instance, this.#limits.taskTimeoutMs, `it did not answer task ${next.task}`);
  }

  /** What comes from the process is an agent's to say, so its form is checked: an agent must not fail the node. */
  #onLine(instance: Instance, line: string): void {
    const answer = readAnswer(line);
    const { pending } = instance;
    if (answer === undefined || pending === undefined || answer.id !== instance.asked) {
      this.#instances.fail(instance, `it said what nobody asked for: ${line.slice(0, 100)}`);
      return;
    }
    instance.pending = undefined;
    try {
      this.#answers[pending](instance, answer);
    } catch (error) {
      this.#instances.fail(instance, `what it said cannot be kept: ${(error as Error).message}`);
    }
  }

  readonly #answers: { [A in Asked]: (instance: Instance, answer: Answer) => void } = {
    describe: (instance, answer) => {
      const form = answer.ok ? readDescription(answer.result) : undefined;
      if (form === undefined)
        return this.#instances.fail(instance, 'it does not describe itself as this protocol asks for');
      instance.form = form;
      this.#restore(instance, 'start');
    },
    start: (instance, answer) => {
      const step = instance.state === undefined ? 'init failed' : 'its state cannot be restored';
      if (!answer.ok) return this.#instances.fail(instance, `${step}: ${answer.message}`);
      const state = readState(instance.form, answer.result);
      if (state === undefined)
        return this.#instances.fail(instance, `${step}: the answer has no state as ${instance.form}`);
      clearTimeout(instance.timer);
      instance.state = state;
      instance.started = true;
      this.#init.events.started(instance.agent, instance.epoch, state);
      this.#runNext(instance);
    },
    handle: (instance, answer) => {
      const state = answer.ok ? readState(instance.form, answer.result) : undefined;
      if (answer.ok && state !== undefined) {
        instance.state = state;
        this.#finish(instance, true, readResult(answer.result));
        return;
      }
      // The task may have changed half of the state before it was refused.
      instance.refusal = answer.ok ? `the answer has no state as ${instance.form}` : answer.message;
      this.#restore(instance, 'goBack');
    },
    goBack: (instance, answer) => {
      if (answer.ok) return this.#finish(instance, false, reasonBytes(instance.refusal));
      this.#instances.fail(instance, `the state before a refused task cannot be restored: ${answer.message}`);
    },
    ping: (instance) => {
      clearTimeout(instance.timer);
      this.#runNext(instance);
    },
  };

  #restore(instance: Instance, what: 'start' | 'goBack'): void {
    const { agent, agentType: type, epoch, form, state } = instance;
    try {
      this.#ask(instance, what, (id) => startLine(id, { agent, type, epoch }, form, state));
    } catch (error) {
      this.#instances.fail(instance, `its state cannot be restored: ${(error as Error).message}`);
    }
  }

  #finish(instance: Instance, ok: boolean, value: Uint8Array): void {
    const { agent, epoch, running, state } = instance;
    if (!this.#instances.has(instance) || running === undefined || state === undefined) return;
    clearTimeout(instance.timer);
    instance.running = undefined;
    instance.restMs = 0;
    this.#init.events.ran(agent, epoch, running, ok, value, state);
    this.#runNext(instance);
  }

  #release({ process }: Instance, why: 'asked' | 'failed'): void {
    const ended = process?.end(why === 'asked' ? 'asked' : 'killed');
    if (ended === undefined) return;
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
  }

  // ---- what they use, and whether they still answer ----

  async #sweep(): Promise<void> {
    if (this.#sweeping || this.#instances.all.length === 0) return;
    this.#sweeping = true;
    try {
      const usage = await usageBySession();
      for (const instance of this.#instances.all) {
        const used = usage.get(instance.process?.pid ?? 0);
        if (used !== undefined) this.#judge(instance, used);
        this.#ping(instance);
      }
    } finally {
      this.#sweeping = false;
    }
  }

  #judge(instance: Instance, { residentBytes, cpuMs }: Usage): void {
    const { memoryMbMax, cpuMsMax } = this.#limits;
    if (residentBytes > memoryMbMax * mb) {
      this.#instances.fail(instance, `it needs more than the ${memoryMbMax} MB of memory that an agent has`);
      return;
    }
    const busy = !instance.started || instance.running !== undefined;
    if (!busy) return;
    instance.cpuMsBefore ??= cpuMs;
    if (cpuMs - instance.cpuMsBefore <= cpuMsMax) return;
    const during = instance.running === undefined ? 'its start' : `task ${instance.running}`;
    this.#instances.fail(instance, `${during} took more than ${cpuMsMax} ms of processor time`);
  }

  #ping(instance: Instance): void {
    if (!instance.started || instance.running !== undefined || instance.pending !== undefined) return;
    instance.restMs += sweepIntervalMs;
    if (instance.restMs < this.#limits.pingIntervalMs) return;
    instance.restMs = 0;
    this.#ask(instance, 'ping', pingLine);
    this.#instances.expectWithin(instance, this.#limits.pingTimeoutMs, 'at rest it did not answer');
  }
}
