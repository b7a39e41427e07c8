import { cancelled, type Surroundings } from '../core/agent-code.ts';

// The language as it was before an agent's module could change it.
const { parse } = JSON;
const { defineProperties, freeze } = Object;
const Controller = AbortController;

/** Agent code in a thread of Node has what the thread has. */
export const agentSurroundings: Surroundings = {
  plain: Object.prototype,
  parse: (json) => parse(json),
  copy: (bytes) => bytes.slice(),
  isError: (value) => value instanceof Error,
  isBytes: (value) => value instanceof Uint8Array,
  settle: (value, fulfilled, rejected) => void Promise.resolve(value).then(fulfilled, rejected),
  taskContext(told, taskId, tell) {
    // Few tasks look at it, and it is not cheap to make.
    let controller: AbortController | undefined;
    const abortion = (): AbortController => {
      controller ??= new Controller();
      return controller;
    };
    const context = defineProperties(
      { ...told },
      {
        taskId: { value: taskId },
        signal: { get: () => abortion().signal },
        progress: {
          value(value: unknown): void {
            const wrong = tell(value);
            if (wrong !== undefined) throw new TypeError(wrong);
          },
        },
      },
    );
    const cancel = (): void => {
      const error = new Error(cancelled.message);
      defineProperties(error, { name: { value: cancelled.name, configurable: true, writable: true } });
      abortion().abort(error);
    };
    return { context: freeze(context), cancel };
  },
};
