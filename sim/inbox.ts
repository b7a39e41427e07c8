import type { Timeline } from './timeline.ts';

/** Things that may wait for a paused or slow process. */
const waitingMax = 200_000;

/**
 * What a process has not come to: while it is paused everything waits, and while it is overloaded it takes one thing after
 * the other, each for a while.
 */
export class Inbox {
  /** How long the process takes for each thing, ms; 0: no time. */
  serviceMs = 0;
  readonly #timeline: Timeline;
  readonly #owner: string;
  #paused = false;
  #waiting: (() => void)[] = [];
  #backlog: (() => void)[] = [];
  /** Raised when all is forgotten: what was planned before concerns nobody. */
  #life = 0;

  constructor(timeline: Timeline, owner: string) {
    this.#timeline = timeline;
    this.#owner = owner;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Runs it now, or when the process comes to it. */
  post(run: () => void): void {
    if (this.#paused) this.#add(this.#waiting, run);
    else if (this.serviceMs === 0 && this.#backlog.length === 0) run();
    else {
      this.#add(this.#backlog, run);
      if (this.#backlog.length === 1) this.#serve();
    }
  }

  pause(): void {
    this.#paused = true;
  }

  /** Returns what waited, in the order in which it came. */
  resume(): (() => void)[] {
    this.#paused = false;
    return this.#waiting.splice(0);
  }

  clear(): void {
    this.#life += 1;
    this.#paused = false;
    this.#waiting = [];
    this.#backlog = [];
  }

  #add(queue: (() => void)[], run: () => void): void {
    if (queue.length >= waitingMax) throw new RangeError(`more than ${waitingMax} things wait for ${this.#owner}`);
    queue.push(run);
  }

  #serve(): void {
    const life = this.#life;
    this.#timeline.after(this.serviceMs, () => {
      const [next] = this.#backlog;
      if (life !== this.#life || next === undefined) return;
      if (this.#paused) this.#waiting.push(next);
      else next();
      // Only now: what comes meanwhile takes its place behind.
      if (life !== this.#life) return;
      this.#backlog.shift();
      if (this.#backlog.length > 0) this.#serve();
    });
  }
}
