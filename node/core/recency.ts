import type { Context } from './context.ts';

/** More than this between what two clocks say has passed: the machine was suspended, or one of them was set. */
const apartMs = 500;

/**
 * Whether this node knows what was decided until lately. A host that comes back after longer than that has to hear first
 * whether somebody decided to go on without it. It goes by what was applied: what is committed may say just that.
 */
export class Recency {
  readonly #context: Context;
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** The wall clock without the monotonic one, which stands still while a machine is suspended. */
  #offMs: number | undefined;
  #wokeMs = Number.NEGATIVE_INFINITY;

  constructor(context: Context) {
    this.#context = context;
  }

  /** To be called before anything else is done at a moment. */
  observe(): void {
    const { nowMs, wallMs } = this.#context;
    const offMs = wallMs - nowMs;
    if (this.#offMs !== undefined && offMs - this.#offMs > apartMs) this.#wokeMs = nowMs;
    this.#offMs = offMs;
  }

  /** All that was committed until so long ago is applied. */
  applied(ageMs: number): void {
    this.#asOfMs = this.#context.nowMs - ageMs;
  }

  get isRecent(): boolean {
    const { nowMs, settings } = this.#context;
    return this.#asOfMs >= this.#wokeMs && nowMs - this.#asOfMs < settings.hostSilentMs;
  }
}
