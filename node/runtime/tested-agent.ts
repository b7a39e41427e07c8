import { AgentCode, type CodeChange, progressPerSMax } from '../core/agent-code.ts';
import { noOutputs, readOutputs, type Sending, type TimerSetting } from '../core/agent-outputs.ts';
import { limits } from '../core/settings.ts';
import { whatIsTooLarge } from '../core/step-size.ts';
import { fromBytes, toBytes } from '../core/text.ts';
import type { AgentContext, AgentModule } from './agent.ts';
import { agentSurroundings } from './agent-surroundings.ts';
import { RateLimit } from './rate-limit.ts';
import { thrownText } from './thrown-text.ts';

export interface TestedAgentOptions extends Partial<AgentContext> {
  /** A checkpoint to start from, such as one that an older version of the code made; without it `init` is called. */
  checkpoint?: Uint8Array;
}

/** What one task led to. */
export interface Answered<State, Result> {
  result: Result;
  /** As the holders keep it, and as the next instance would find it. */
  state: State;
  /** What `context.progress` was given meanwhile, in order. */
  progress: unknown[];
  /** The tasks that it sends to others, and the timers that it sets: the test says what becomes of them. */
  send: Sending[];
  timers: TimerSetting[];
}

/** The task was refused: `handle` threw, or its result or its state cannot be kept. The state is as it was before. */
export class TaskRefused extends Error {
  override readonly name = 'TaskRefused';
}

/** The agent is lost: it cannot start, or what it keeps cannot be restored to the same. */
export class AgentFailed extends Error {
  override readonly name = 'AgentFailed';
}

/** The agent crashed in the middle of the task, as `recover` wanted it. A cluster would do the task again. */
export class AgentCrashed extends Error {
  override readonly name = 'AgentCrashed';
}

type Ran = { ok: boolean; value: Uint8Array; state: Uint8Array; outputs: Uint8Array | undefined };

/** One instance of the code, and whoever waits for what it does. */
class Running<State, Task, Result> {
  readonly #code: AgentCode;
  #waiting: PromiseWithResolvers<Ran> | undefined;
  #progress: unknown[] = [];
  /** Its state after its start. */
  readonly started: Promise<Uint8Array>;

  constructor(
    module: AgentModule<State, Task, Result>,
    context: AgentContext,
    from: Uint8Array | undefined,
    change?: CodeChange,
  ) {
    const started = Promise.withResolvers<Uint8Array>();
    this.started = started.promise;
    const rate = new RateLimit(progressPerSMax);
    this.#code = new AgentCode(agentSurroundings, {
      started: (state) => started.resolve(state),
      ran: (ok, value, state, outputs) => this.#waiting?.resolve({ ok, value, state, outputs }),
      progress: (value) => rate.passes(performance.now()) && this.#progress.push(JSON.parse(fromBytes(value))),
      failed: (reason) => {
        started.reject(new AgentFailed(reason));
        this.#waiting?.reject(new AgentFailed(reason));
      },
    });
    this.#code.start(() => ({ default: module }), { ...context }, from?.slice(), change);
  }

  async run(payload: Uint8Array, taskId: string): Promise<Ran & { progress: unknown[] }> {
    this.#waiting = Promise.withResolvers();
    this.#progress = [];
    this.#code.run(payload, taskId);
    const ran = await this.#waiting.promise;
    return { ...ran, progress: this.#progress };
  }

  cancel(): void {
    this.#code.cancel();
  }

  /** Nothing that it does is heard of any more. */
  crash(): void {
    this.#waiting?.reject(new AgentCrashed('it crashed in the middle of the task'));
  }
}

/**
 * One agent in memory, run by the contract as a node runs it, without a cluster. After its start and after each task its
 * checkpoint is restored beside it, and must come to the same checkpoint. What the module keeps outside of the state is not
 * lost in a crash here, as it would be in a cluster.
 */
export class TestedAgent<State, Task, Result> {
  readonly #module: AgentModule<State, Task, Result>;
  #context: AgentContext;
  #running: Running<State, Task, Result>;
  #checkpoint: Uint8Array;
  readonly #version: number;
  /** What it was asked for last: one thing is done after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** The task that it is at. */
  #task: Promise<unknown> | undefined;
  #tasksGiven = 0;

  private constructor(
    module: AgentModule<State, Task, Result>,
    context: AgentContext,
    running: Running<State, Task, Result>,
    checkpoint: Uint8Array,
    version = 1,
  ) {
    this.#module = module;
    this.#context = context;
    this.#running = running;
    this.#checkpoint = checkpoint;
    this.#version = version;
  }

  /** Rejects with `AgentFailed`. */
  static async start<State, Task, Result>(
    module: AgentModule<State, Task, Result>,
    { checkpoint, ...given }: TestedAgentOptions,
  ): Promise<TestedAgent<State, Task, Result>> {
    const context = { agent: 'agent-1', type: 'agent', epoch: 1, ...given };
    const running = new Running(module, context, checkpoint);
    const started = new TestedAgent(module, context, running, await running.started);
    await started.#checkRoundTrip(started.#checkpoint);
    return started;
  }

  get epoch(): number {
    return this.#context.epoch;
  }

  /** The bytes that the holders would keep now. */
  get checkpoint(): Uint8Array {
    return this.#checkpoint.slice();
  }

  /** The state as it would be found by the next instance: a copy, made from the checkpoint. */
  async state(): Promise<State> {
    const { restore } = this.#module;
    if (restore === undefined) return JSON.parse(fromBytes(this.#checkpoint)) as State;
    return restore.call(this.#module, this.#checkpoint.slice(), { ...this.#context });
  }

  /** Gives it a task, after those that it was given before. Rejects with `TaskRefused`, `AgentFailed` or `AgentCrashed`. */
  task(task: Task): Promise<Answered<State, Result>> {
    return this.#next(() => {
      const answered = this.#run(task).finally(() => {
        this.#task = undefined;
      });
      this.#task = answered;
      return answered;
    });
  }

  /** Whoever gave the task that runs wants it no more: its `context.signal` is aborted. */
  cancel(): void {
    this.#running.cancel();
  }

  /** Its process dies, with a task that runs; a new instance starts from the last checkpoint. Rejects with `AgentFailed`. */
  async recover(): Promise<void> {
    if (this.#task === undefined) return this.#next(() => this.#restart());
    this.#running.crash();
    await this.#task.catch((error: unknown) => {
      if (error instanceof AgentFailed) throw error;
    });
  }

  /** It is moved to another node: when its tasks are done it starts there in a new epoch. Rejects with `AgentFailed`. */
  async move(): Promise<void> {
    await this.#next(() => {
      this.#context = { ...this.#context, epoch: this.epoch + 1 };
      return this.#restart();
    });
  }

  /**
   * Its code is upgraded, when its tasks are done: resolves with the agent as that version goes on with it, in a new epoch.
   * Where that one has `rollback`, this version has started from what it gives. Rejects with `AgentFailed`.
   */
  upgrade<S, T, R>(module: AgentModule<S, T, R>): Promise<TestedAgent<S, T, R>> {
    return this.#next(async () => {
      const [from, to] = [this.#version, this.#version + 1];
      const context = { ...this.#context, epoch: this.epoch + 1 };
      const running = new Running(module, context, this.#checkpoint, { from, to });
      const upgraded = new TestedAgent(module, context, running, await running.started, to);
      await upgraded.#checkRoundTrip(upgraded.#checkpoint);
      if (module.rollback !== undefined) {
        const back = { from: to, to: from, newer: () => ({ default: module }) };
        await new Running(this.#module, context, upgraded.#checkpoint, back).started;
      }
      return upgraded;
    });
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #run(task: Task): Promise<Answered<State, Result>> {
    const payload = toBytes(JSON.stringify(task) ?? 'null');
    if (payload.byteLength > limits.payloadBytesMax) {
      throw new TaskRefused(`the task is ${payload.byteLength} bytes, at most ${limits.payloadBytesMax} are taken`);
    }
    const taskId = `task-${++this.#tasksGiven}`;
    const { ok, value, state, outputs, progress } = await this.#running
      .run(payload, taskId)
      .catch(async (error: unknown) => {
        if (error instanceof AgentCrashed) await this.#restart();
        throw error;
      });
    const told: unknown = JSON.parse(fromBytes(value));
    if (!ok) throw new TaskRefused((told as { reason: string }).reason);
    const led = outputs === undefined ? noOutputs : readOutputs(outputs);
    const problem = typeof led === 'string' ? led : whatIsTooLarge(value, state.byteLength);
    if (problem !== undefined || typeof led === 'string') {
      await this.#restart();
      throw new TaskRefused(problem);
    }
    await this.#checkRoundTrip(state);
    this.#checkpoint = state;
    return { result: told as Result, state: await this.state(), progress, ...led };
  }

  async #restart(): Promise<void> {
    this.#running = new Running(this.#module, this.#context, this.#checkpoint);
    await this.#running.started;
  }

  async #checkRoundTrip(checkpoint: Uint8Array): Promise<void> {
    const { restore, checkpoint: take } = this.#module;
    // JSON comes back as it is.
    if (restore === undefined || take === undefined) return;
    let again: Uint8Array;
    try {
      again = take.call(this.#module, await restore.call(this.#module, checkpoint.slice(), { ...this.#context }));
    } catch (error) {
      throw new AgentFailed(`its state cannot be restored: ${thrownText(error)}`);
    }
    if (Buffer.compare(again, checkpoint) === 0) return;
    const [before, after] = [checkpoint, again].map((bytes) => excerpt(bytes, firstDifference(checkpoint, again)));
    throw new AgentFailed(`restored from its checkpoint it makes another one: ${before} became ${after}`);
  }
}

const excerptBytes = 60;

function firstDifference(one: Uint8Array, other: Uint8Array): number {
  const at = one.findIndex((byte, index) => byte !== other[index]);
  return at === -1 ? one.byteLength : at;
}

function excerpt(bytes: Uint8Array, around: number): string {
  const from = Math.max(0, around - excerptBytes / 2);
  return Buffer.from(bytes.subarray(from, from + excerptBytes)).toString('utf8');
}

/** Starts one agent of a module in memory, for its author's tests. Rejects with `AgentFailed` when it cannot start. */
export function testAgent<State, Task, Result>(
  module: AgentModule<State, Task, Result>,
  options: TestedAgentOptions = {},
): Promise<TestedAgent<State, Task, Result>> {
  return TestedAgent.start(module, options);
}
