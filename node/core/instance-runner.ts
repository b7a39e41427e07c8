import type { AgentState } from './agent-state.ts';
import type { Assignment } from './assignment.ts';
import { type Context, reportLocally } from './context.ts';
import type { InstanceEvents } from './instance-events.ts';
import { Refusals } from './refusals.ts';
import { type Failures, Restarts } from './restarts.ts';
import { limits } from './settings.ts';
import { isThread, startedFrom } from './start-state.ts';
import type { QueuedTask } from './task-queue.ts';
import type { VersionTurn } from './version-turn.ts';

export interface InstanceRunnerInit {
  context: Context;
  /** Of the epoch as it is now. */
  assignment(): Assignment;
  turn: VersionTurn;
  state: AgentState;
  events: Pick<InstanceEvents, 'relinquish' | 'fares'>;
}

/** What runs an instance's code, as its node knows it: whether it is there, and how often it failed. */
export class InstanceRunner {
  readonly #context: Context;
  readonly #assignment: () => Assignment;
  readonly #turn: VersionTurn;
  readonly #state: AgentState;
  readonly #restarts: Restarts;
  /** How tasks fare with it, while it is watched. */
  readonly refusals: Refusals;
  readonly #relinquish: (reason: string) => void;
  #isReady = false;
  /** The epoch in which what runs now was started, and the one under which it is known. */
  #since: number | undefined;
  #known: number | undefined;
  /** A branch of the agent runs here: it has nothing to run meanwhile. */
  #isSuspended = false;
  /** Why this node cannot run the agent; said until another epoch begins. */
  #givenUp: string | undefined;

  constructor({ context, assignment, turn, state, events }: InstanceRunnerInit) {
    const { agent, isWatched } = assignment();
    this.#context = context;
    this.#assignment = assignment;
    this.#turn = turn;
    this.#state = state;
    this.#relinquish = (reason) => events.relinquish(agent, assignment().epoch, reason);
    const now = () => ({ agent, epoch: assignment().epoch });
    const failed = (said: Failures): void => events.fares({ type: 'ailing', body: { ...now(), ...said } });
    this.#restarts = new Restarts(failed, isWatched);
    this.refusals = new Refusals((said) => events.fares({ type: 'refusing', body: { ...now(), ...said } }), isWatched);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isSuspended(): boolean {
    return this.#isSuspended;
  }

  /** The epoch under which what runs is known. */
  get epoch(): number {
    return this.#known ?? this.#assignment().epoch;
  }

  /** From a state, or from nothing. */
  start(from: (() => Uint8Array[]) | undefined): void {
    this.#isReady = false;
    this.#state.forgetAhead();
    if (this.#isSuspended) return;
    const { agent, agentType, epoch, source, interpreter, container, isolation, version, branch } = this.#assignment();
    this.#since = epoch;
    this.#known = epoch;
    const told = branch && { told: { agent: branch.agent, epoch: branch.base.epoch } };
    const change = this.#turn.begin(from !== undefined);
    const runtime = { source, interpreter, container, isolation, version, change };
    const { stateChunkBytes } = this.#context.settings;
    const state = startedFrom(from?.(), isThread(runtime) ? stateChunkBytes : Number.POSITIVE_INFINITY);
    this.#context.out.push({ type: 'startAgent', agent, agentType, epoch, ...runtime, ...state, ...told });
  }

  onStarted(): void {
    this.#isReady = true;
    this.#restarts.started(this.#context.nowMs);
  }

  /** `branch`: what it is to take in, in place of a payload. */
  run({ task, payload, deadlineMs }: QueuedTask, branch: Uint8Array | undefined): void {
    const what = branch === undefined ? { payload } : { payload: branch, merges: true };
    this.#context.out.push({ type: 'runTask', ...this.#who, task, deadlineMs, ...what });
  }

  /** Has those tasks given back that were not begun. */
  recall(): void {
    this.#context.out.push({ type: 'recallTasks', ...this.#who });
  }

  cancel(task: string): void {
    this.#context.out.push({ type: 'cancelTask', ...this.#who, task });
  }

  get #who(): { agent: string; epoch: number } {
    return { agent: this.#assignment().agent, epoch: this.epoch };
  }

  stop(): void {
    this.#isReady = false;
    this.#context.out.push({ type: 'stopAgent', ...this.#who });
  }

  /** It goes on in the epoch that has come since it was started, and its code is told. */
  renew(): void {
    const { agent, epoch } = this.#assignment();
    this.#context.out.push({ type: 'renewAgent', agent, from: this.epoch, epoch });
    this.#known = epoch;
  }

  /** Whether what is told of an epoch is of what runs now: some of that may be on its way since before a change. */
  isOf(epoch: number): boolean {
    const now = this.#assignment().epoch;
    return epoch <= now && epoch >= (this.#since ?? now);
  }

  suspend(): void {
    this.#isSuspended = true;
    this.stop();
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /**
   * It is gone. Returns how long to wait before it is started again, ms; undefined: it has failed too often here. `inTask`:
   * in the middle of one.
   */
  onFailed(reason: string, innocent: boolean, inTask: boolean): number | undefined {
    const { agent, epoch } = this.#assignment();
    reportLocally(this.#context, 'agentFailed', `${agent} failed: ${reason}`, { agent, epoch, reason });
    this.#isReady = false;
    return innocent ? 0 : this.#restarts.failed(reason, inTask, this.#context.nowMs);
  }

  /** Whether it is to be started now. Told once. */
  takeDue(): boolean {
    return this.#restarts.takeDue(this.#context.nowMs);
  }

  giveUp(reason: string): void {
    this.#givenUp = reason.slice(0, limits.reasonLengthMax);
    this.sayAgain();
  }

  /** Says that it is given up, if it is. */
  sayAgain(): void {
    if (this.#givenUp !== undefined) this.#relinquish(this.#givenUp);
  }

  /** Says how often it fails, if it does, or that it holds again; and whether it refuses its tasks. */
  tell(): void {
    this.refusals.tell();
    this.#restarts.tell(this.#context.nowMs);
  }

  /** The log says that it is in a crash loop, or in none any more. */
  onCrashLoop(isAiling: boolean): void {
    this.#restarts.isTold = isAiling;
  }

  onWell(): void {
    this.#restarts.proven();
  }
}
