/** What the code of a simulated world must not touch: clocks, timers and chance that no seed governs. */
const forbidden: readonly { owner: () => object; name: string; called: string }[] = [
  { owner: () => Math, name: 'random', called: 'Math.random' },
  { owner: () => globalThis, name: 'setTimeout', called: 'setTimeout' },
  { owner: () => globalThis, name: 'setInterval', called: 'setInterval' },
  { owner: () => globalThis, name: 'setImmediate', called: 'setImmediate' },
  { owner: () => globalThis, name: 'queueMicrotask', called: 'queueMicrotask' },
  { owner: () => globalThis.performance, name: 'now', called: 'performance.now' },
  { owner: () => process, name: 'hrtime', called: 'process.hrtime' },
  { owner: () => process, name: 'nextTick', called: 'process.nextTick' },
  { owner: () => globalThis.crypto, name: 'randomUUID', called: 'crypto.randomUUID' },
  { owner: () => globalThis.crypto, name: 'getRandomValues', called: 'crypto.getRandomValues' },
];

function refuse(called: string): never {
  throw new Error(
    `${called} was used inside the simulated world. Time comes with the event, chance from the generator handed in.`,
  );
}

/** `Date` without a clock: a given moment can still be turned into a date. */
function timelessDate(real: DateConstructor): DateConstructor {
  return new Proxy(real, {
    construct: (target, args) => (args.length === 0 ? refuse('new Date()') : Reflect.construct(target, args)),
    apply: () => refuse('Date()'),
    get: (target, name, receiver) => (name === 'now' ? () => refuse('Date.now') : Reflect.get(target, name, receiver)),
  });
}

let depth = 0;

/** Runs something during which raw clocks, timers and random numbers throw. They are back when it returns or throws. */
export function guarded<T>(run: () => T): T {
  if (depth > 0) return run();
  const restore: (() => void)[] = [];
  const replace = (owner: object, name: string, value: unknown): void => {
    const own = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, {
      configurable: true,
      enumerable: own?.enumerable ?? false,
      writable: true,
      value,
    });
    restore.push(() => {
      if (own === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, own);
    });
  };
  depth += 1;
  try {
    for (const { owner, name, called } of forbidden) replace(owner(), name, () => refuse(called));
    replace(globalThis, 'Date', timelessDate(Date));
    return run();
  } finally {
    for (const undo of restore.reverse()) undo();
    depth -= 1;
  }
}
