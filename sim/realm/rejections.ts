import { promiseHooks } from 'node:v8';

interface Edge {
  child: object;
  parent: object;
  parentWasHandled: boolean;
  parentWasOpen: boolean;
}

/**
 * Finds the promises that nobody handles, at once: Node itself tells of them only later, and then ends the process.
 * V8 names, for each promise that comes from `then` or `await`, the one that it waits for, which is handled thereby.
 */
export class Rejections {
  readonly #handled = new WeakSet<object>();
  /** Settled and not handled. Whether they were fulfilled is not known. */
  readonly #open = new Set<Promise<unknown>>();
  #edge: Edge | undefined;

  /** Runs something and notes every promise meanwhile. */
  during(run: () => void): void {
    const stop = promiseHooks.createHook({
      init: (promise, parent) => this.#init(promise, parent as Promise<unknown> | undefined),
      before: () => {
        this.#edge = undefined;
      },
      settled: (promise) => this.#settled(promise),
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

  #init(child: object, parent: Promise<unknown> | undefined): void {
    this.#edge = undefined;
    if (parent === undefined) return;
    const parentWasHandled = this.#handled.has(parent);
    this.#edge = { child, parent, parentWasHandled, parentWasOpen: this.#open.delete(parent) };
    this.#handled.add(parent);
  }

  #settled(promise: Promise<unknown>): void {
    const edge = this.#edge;
    this.#edge = undefined;
    // `await` of a plain value makes a promise of it and names the waiting function as its parent, which handles
    // nothing. It is settled at once, where a promise that comes from `then` waits for its turn.
    if (edge?.child === promise && !edge.parentWasHandled) {
      this.#handled.delete(edge.parent);
      if (edge.parentWasOpen) this.#open.add(edge.parent as Promise<unknown>);
    }
    if (!this.#handled.has(promise)) this.#open.add(promise);
  }
}
