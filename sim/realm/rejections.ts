import { promiseHooks } from 'node:v8';

/**
 * Finds the promises that nobody handles, at once: Node itself tells of them only later, and then ends the process.
 * V8 names the parent of each promise that comes from `then` or `await`. When such a child's turn comes after its
 * parent is settled, it was the parent's handler. (That the child was made is not enough: `await` of a value that is no
 * promise makes one, whose parent is the waiting function.) One handler has no such child: a rejected promise among
 * the values of a synchronous iterator in `for await` counts as not handled, even where the loop's error is caught.
 */
export class Rejections {
  readonly #parents = new WeakMap<object, Promise<unknown>>();
  readonly #handled = new WeakSet<object>();
  /** Settled, and not handled so far. Whether they were fulfilled is not known. */
  readonly #open = new Set<Promise<unknown>>();

  /** Runs something, and all that its promises have to do, and notes every promise meanwhile. */
  during(run: () => void): void {
    const stop = promiseHooks.createHook({
      init: (child, parent) => {
        if (parent !== undefined) this.#parents.set(child, parent);
      },
      before: (child) => {
        const parent = this.#parents.get(child);
        if (parent !== undefined) this.#open.delete(parent);
      },
      settled: (promise) => {
        if (!this.#handled.has(promise)) this.#open.add(promise);
      },
    });
    try {
      run();
    } finally {
      stop();
    }
  }

  /** Whatever becomes of this one is taken care of. */
  handle(promise: object): void {
    this.#handled.add(promise);
  }

  /** The settled ones that nobody handles, each told once. */
  take(): Promise<unknown>[] {
    const open = [...this.#open];
    this.#open.clear();
    return open;
  }
}
