import type { TaskContext } from '../../node/core/agent-code.ts';
import type { Tools } from './outside.ts';

type Tell = (value: unknown) => string | undefined;

/**
 * Makes what tasks are told. Production's `AbortSignal` is not here; this signal does what an agent can want of one that
 * is given to it: `aborted`, `reason`, `throwIfAborted`, `onabort` and listeners. Runs inside a realm.
 */
export function makeTaskContexts({ define }: Tools, reason: { name: string; message: string }) {
  type Listener = ((event: object) => void) | { handleEvent(event: object): void };
  const Pending = Promise;

  class Signal {
    onabort: Listener | null = null;
    #reason: unknown;
    #listeners: { listener: Listener; once: boolean }[] = [];
    static {
      define('constructor', Object, Signal.prototype);
    }
    static abort(signal: Signal, error: Error): void {
      if (signal.#reason !== undefined) return;
      signal.#reason = error;
      const listeners = signal.#listeners;
      signal.#listeners = listeners.filter(({ once }) => !once);
      const event = Object.freeze({ type: 'abort', target: signal, currentTarget: signal });
      for (const listener of [signal.onabort, ...listeners.map((each) => each.listener)]) {
        try {
          if (typeof listener === 'function') Reflect.apply(listener, signal, [event]);
          else listener?.handleEvent(event);
        } catch (error) {
          // As in production it ends the instance, after everything else that is to be done now.
          void Pending.reject(error);
        }
      }
    }
    get aborted(): boolean {
      return this.#reason !== undefined;
    }
    get reason(): unknown {
      return this.#reason;
    }
    throwIfAborted(): void {
      if (this.#reason !== undefined) throw this.#reason;
    }
    addEventListener(type: unknown, listener: Listener | null, options?: { once?: boolean } | boolean): void {
      if (type !== 'abort' || listener === null || this.#listeners.some((each) => each.listener === listener)) return;
      this.#listeners.push({ listener, once: typeof options === 'object' && options.once === true });
    }
    removeEventListener(type: unknown, listener: Listener | null): void {
      if (type === 'abort') this.#listeners = this.#listeners.filter((each) => each.listener !== listener);
    }
  }

  return (told: object, taskId: string, tell: Tell): TaskContext => {
    const signal = new Signal();
    const progress = (value: unknown): void => {
      const wrong = tell(value);
      if (wrong !== undefined) throw new TypeError(wrong);
    };
    const context = { ...told };
    const values = { taskId: { value: taskId }, signal: { value: signal }, progress: { value: progress } };
    Object.defineProperties(context, values);
    const cancel = (): void => {
      const error = new Error(reason.message);
      define('name', reason.name, error);
      Signal.abort(signal, error);
    };
    return { context: Object.freeze(context), cancel };
  };
}
