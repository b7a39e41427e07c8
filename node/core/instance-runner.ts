import type { Assignment } from './assignment.ts';
import { type Context, reportLocally } from './context.ts';
import { limits } from './settings.ts';

const restartsMax = 5;

/** What runs an instance's code, as its node knows it: whether it is there, and how often it failed. */
export class InstanceRunner {
  readonly #context: Context;
  readonly #assignment: Assignment;
  #isReady = false;
  /** A branch of the agent runs here: it has nothing to run meanwhile. */
  #isSuspended = false;
  /** Failures since the last task that went well. */
  #failures = 0;
  /** Why this node cannot run the agent; said until another epoch begins. */
  #givenUp: string | undefined;
  readonly #relinquish: (reason: string) => void;

  constructor(context: Context, assignment: Assignment, relinquish: (reason: string) => void) {
    this.#relinquish = relinquish;
    this.#context = context;
    this.#assignment = assignment;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isSuspended(): boolean {
    return this.#isSuspended;
  }

  /** From a state, or from nothing. */
  start(from: (() => Uint8Array) | undefined): void {
    this.#isReady = false;
    if (this.#isSuspended) return;
    const { agent, agentType, epoch, source, interpreter, container, isolation, branch } = this.#assignment;
    const told = branch && { told: { agent: branch.agent, epoch: branch.base.epoch } };
    const runtime = { source, interpreter, container, isolation };
    this.#context.out.push({ type: 'startAgent', agent, agentType, epoch, ...runtime, state: from?.(), ...told });
  }

  onStarted(): void {
    this.#isReady = true;
  }

  stop(): void {
    this.#isReady = false;
    const { agent, epoch } = this.#assignment;
    this.#context.out.push({ type: 'stopAgent', agent, epoch });
  }

  suspend(): void {
    this.#isSuspended = true;
    this.stop();
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /** It is gone. Whether it failed too often to be tried again. */
  onFailed(reason: string, innocent: boolean): boolean {
    const { agent, epoch } = this.#assignment;
    reportLocally(this.#context, 'agentFailed', `${agent} failed: ${reason}`, { agent, epoch, reason });
    this.#isReady = false;
    if (!innocent) this.#failures += 1;
    return !innocent && this.#failures > restartsMax;
  }

  giveUp(reason: string): void {
    this.#givenUp = reason.slice(0, limits.reasonLengthMax);
    this.sayAgain();
  }

  /** Says that it is given up, if it is. */
  sayAgain(): void {
    if (this.#givenUp !== undefined) this.#relinquish(this.#givenUp);
  }

  onWell(): void {
    this.#failures = 0;
  }
}
