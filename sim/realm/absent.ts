import type { Outside, Tools } from './outside.ts';

/** What production has and the simulated world has not: whoever uses it is told what to use. Runs inside a realm. */
export function installAbsent(_outside: Outside, { define }: Tools): void {
  const refuse = (name: string, instead: string): never => {
    throw new Error(`The simulated world has no ${name}. ${instead}`);
  };

  /** There is something to ask the type of, as libraries do; to call it, make one or look into it is refused. */
  function absent(name: string, instead: string, made: object = function () {}): unknown {
    return new Proxy(made, {
      apply: () => refuse(name, instead),
      construct: () => refuse(name, instead),
      get(_, key) {
        if (typeof key === 'symbol' || key in made) return made[key as keyof object];
        return refuse(`${name}.${key}`, instead);
      },
    });
  }

  const later = 'An agent acts when it has a task: let a task come at the time when it should act.';
  const inTask = 'Nothing outside of the cluster exists in it: let the task bring what the agent needs.';
  const bytes = 'Use Uint8Array, TextEncoder, TextDecoder, atob and btoa.';
  const language = 'An agent there has its task, its state, and what the language itself has.';
  const groups: Record<string, string[]> = {
    [later]: ['setTimeout', 'setInterval', 'setImmediate', 'AbortController', 'AbortSignal'],
    [inTask]: ['fetch', 'Headers', 'Request', 'Response', 'FormData', 'WebSocket', 'EventSource'],
    [bytes]: ['Buffer', 'Blob', 'File', 'TextEncoderStream', 'TextDecoderStream'],
    [language]: [
      ...['DOMException', 'Event', 'EventTarget', 'CustomEvent', 'MessageChannel', 'MessagePort', 'BroadcastChannel'],
      ...['ReadableStream', 'WritableStream', 'TransformStream', 'CompressionStream', 'DecompressionStream'],
      ...['CryptoKey', 'SubtleCrypto', 'Performance', 'PerformanceObserver', 'URLPattern'],
    ],
  };
  for (const [instead, names] of Object.entries(groups)) {
    for (const name of names) define(name, absent(name, instead));
  }
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) define(name, () => {});
  define('require', (name: unknown) => refuse(`module ${String(name)}`, language));
  // As in production, where an agent sees neither the environment nor the arguments of the node.
  define('process', absent('process', language, { env: {}, argv: [], execArgv: [] }));
  define('navigator', absent('navigator', language, {}));
  for (const name of ['wait', 'waitAsync']) define(name, absent(`Atomics.${name}`, later), Atomics);

  const { then } = Promise.prototype;
  define('queueMicrotask', (run: unknown) => {
    if (typeof run !== 'function') throw new TypeError('queueMicrotask takes a function');
    void Reflect.apply(then, Promise.resolve(), [() => void run()]);
  });
}
