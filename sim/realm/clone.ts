import type { Outside, Tools } from './outside.ts';

type Seen = Map<object, object>;
type View = new (buffer: unknown, from: number, length: number) => object;

/** `structuredClone` by the HTML standard (2.7), for the language's own types. Runs inside a realm. */
export function installClone(_outside: Outside, { define }: Tools): void {
  const errorKinds = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];

  function refuse(value: unknown): never {
    throw Object.assign(new Error(`${String(value)} could not be cloned.`), { name: 'DataCloneError' });
  }

  /** An error keeps its kind and its text; what else was put on it is lost, as the standard has it. */
  function errorCopy(error: Error, seen: Seen): Error {
    const Kind = errorKinds.find(({ name }) => name === error.name) ?? Error;
    const copy = new Kind(error.message);
    seen.set(error, copy);
    define('stack', error.stack, copy);
    if (Object.hasOwn(error, 'cause')) define('cause', copyOf(error.cause, seen), copy);
    return copy;
  }

  function viewCopy(view: ArrayBufferView, seen: Seen): object {
    const length = view instanceof DataView ? view.byteLength : (view as Uint8Array).length;
    return new (view.constructor as View)(copyOf(view.buffer, seen), view.byteOffset, length);
  }

  const leaves = new Map<unknown, (value: never, seen: Seen) => object>([
    [Date, (date: Date) => new Date(date.getTime())],
    [RegExp, ({ source, flags }: RegExp) => new RegExp(source, flags)],
    [ArrayBuffer, (buffer: ArrayBuffer) => buffer.slice(0)],
    [SharedArrayBuffer, (buffer: SharedArrayBuffer) => buffer],
    [Error, errorCopy],
  ]);
  for (const box of [Boolean, Number, String, BigInt]) leaves.set(box, (value: object) => Object(value.valueOf()));
  for (const kind of [Promise, WeakMap, WeakSet, WeakRef]) leaves.set(kind, refuse);

  /** A copy that holds no other values; undefined for what holds some. */
  function leafCopy(value: object, seen: Seen): object | undefined {
    if (ArrayBuffer.isView(value)) return viewCopy(value, seen);
    for (const [kind, copy] of leaves) if (value instanceof (kind as typeof Object)) return copy(value as never, seen);
    return undefined;
  }

  function emptyLike(value: object): object {
    if (value instanceof Map) return new Map();
    if (value instanceof Set) return new Set();
    return Array.isArray(value) ? new Array(value.length) : {};
  }

  function fill(copy: object, from: object, seen: Seen): object {
    seen.set(from, copy);
    if (copy instanceof Map)
      for (const [k, v] of [...(from as typeof copy)]) copy.set(copyOf(k, seen), copyOf(v, seen));
    else if (copy instanceof Set) for (const part of [...(from as typeof copy)]) copy.add(copyOf(part, seen));
    else for (const [key, part] of Object.entries(from)) define(key, copyOf(part, seen), copy, true);
    return copy;
  }

  function copyOf(value: unknown, seen: Seen): unknown {
    if (typeof value === 'symbol' || typeof value === 'function') return refuse(value);
    if (typeof value !== 'object' || value === null) return value;
    const before = seen.get(value);
    if (before !== undefined) return before;
    const leaf = leafCopy(value, seen);
    if (leaf === undefined) return fill(emptyLike(value), value, seen);
    seen.set(value, leaf);
    return leaf;
  }

  define('structuredClone', (value: unknown, options?: { transfer?: unknown[] }) => {
    if (options?.transfer?.length) throw new Error('The simulated world has no transfer. Leave it out.');
    return copyOf(value, new Map());
  });
}
