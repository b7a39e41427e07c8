import type { Step } from './agent-task-events.ts';
import { isMergeTask } from './branch.ts';
import { limits } from './settings.ts';
import { whyIn } from './text.ts';

/** What the leader is to know of the tasks that a new version was given. */
export interface Refused {
  refused: number;
  /** It has done one as well. */
  done: boolean;
  /** Of the last refusal. */
  reason: string;
}

/** How tasks fare with a new version of an agent's code, since its instance began. Nothing is said before it refuses one. */
export class Refusals {
  readonly #say: (said: Refused) => void;
  #isWatched: boolean;
  #refused = 0;
  #done = false;
  #reason = '';

  constructor(say: (said: Refused) => void, isWatched = false) {
    this.#say = say;
    this.#isWatched = isWatched;
  }

  /** Notes how a task ended, if that is what the step says; returns the step. */
  noted(step: Step): Step {
    const { task, ok, value, tries, aside, cancelled } = step;
    const isEnd = tries === undefined && aside === undefined && cancelled !== true && !isMergeTask(task);
    if (!this.#isWatched || this.#done || !isEnd) return step;
    if (ok) this.#done = true;
    else {
      this.#refused += 1;
      this.#reason = whyIn(value).reason.slice(0, limits.reasonLengthMax);
    }
    this.tell();
    return step;
  }

  /** Says it again: what was said may be lost, and another leader knows nothing of it. */
  tell(): void {
    if (!this.#isWatched || this.#refused === 0) return;
    this.#say({ refused: this.#refused, done: this.#done, reason: this.#reason });
  }

  /** Nobody watches it any more. */
  end(): void {
    this.#isWatched = false;
  }
}
