import type { StateBytes } from './state-bytes.ts';

/** A step and the state that it led to. */
export interface TrailStep {
  sequence: number;
  state: StateBytes;
}

const stepsMax = 1_024;

/**
 * The states of an agent's steps that are not durable yet, and the newest that is: a branch begins there. They share
 * their parts. Of too many those in the middle go: then a branch begins earlier than it could.
 */
export class StateTrail {
  #steps: TrailStep[] = [];

  /** Begins anew with a step. */
  begin(step: TrailStep): void {
    this.#steps = [step];
  }

  add(step: TrailStep, durableSequence: number): void {
    this.#forget(durableSequence);
    if (this.#steps.length >= stepsMax) this.#steps.splice(1, 1);
    this.#steps.push(step);
  }

  /** The newest step up to that sequence; undefined when there is none. */
  newestUpTo(durableSequence: number): TrailStep | undefined {
    this.#forget(durableSequence);
    const [first] = this.#steps;
    return first !== undefined && first.sequence <= durableSequence ? first : undefined;
  }

  #forget(durableSequence: number): void {
    const next = this.#steps.findIndex(({ sequence }) => sequence > durableSequence);
    const keptFrom = (next === -1 ? this.#steps.length : next) - 1;
    if (keptFrom > 0) this.#steps = this.#steps.slice(keptFrom);
  }
}
