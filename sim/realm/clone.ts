import type { Outside, Tools } from './outside.ts';

/** `structuredClone` by the HTML standard (2.7), for the language's own types. Runs inside a realm. */
export function installClone(_outside: Outside, { define }: Tools): void {
  type Seen = Map<object, object>;
  type View = new (buffer: unknown, from: number, length: number) => object;
  const errorKinds = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
  const boxes: readonly unknown[] = [Boolean, Number, String, BigInt];
  const unclonable: readonly unknown[] = [Promise, WeakMap, WeakSet, WeakRef];
  const isOneOf = (kinds: readonly unknown[], value: object): boolean =>
    kinds.some((kind) => value instanceof (kind as ObjectConstructor));

  function refuse(value: unknown): never {
    const error = new Error(`${String(value)} could not be cloned.`);
    define('name', 'DataCloneError', error);
    throw error;
  }

  function viewCopy(view: ArrayBufferView, seen: Seen): object {
    const length = view instanceof DataView ? view.byteLength : (view as Uint8Array).length;
    return new (view.constructor as View)(copyOf(view.buffer, seen), view.byteOffset, length);
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

  /** Everything that cannot contain itself; undefined for the rest. */
  function leafCopy(value: object, seen: Seen): object | undefined {
    if (value instanceof SharedArrayBuffer) return value;
    if (value instanceof Date) return new Date(value.getTime());
    if (value instanceof RegExp) return new RegExp(value.source, value.flags);
    if (value instanceof ArrayBuffer) return value.slice(0);
    if (ArrayBuffer.isView(value)) return viewCopy(value, seen);
    if (value instanceof Error) return errorCopy(value, seen);
    if (isOneOf(boxes, value)) return Object(value.valueOf()) as object;
    return isOneOf(unclonable, value) ? refuse(value) : undefined;
  }

  function fieldsCopied<T extends object>(from: object, to: T, seen: Seen): T {
    seen.set(from, to);
    for (const [key, part] of Object.entries(from)) {
      const value = copyOf(part, seen);
      Object.defineProperty(to, key, { value, writable: true, configurable: true, enumerable: true });
    }
    return to;
  }

  function copyOf(value: unknown, seen: Seen): unknown {
    if (typeof value === 'symbol' || typeof value === 'function') return refuse(value);
    if (typeof value !== 'object' || value === null) return value;
    const before = seen.get(value);
    if (before !== undefined) return before;
    const leaf = leafCopy(value, seen);
    if (leaf !== undefined) {
      seen.set(value, leaf);
      return leaf;
    }
    if (value instanceof Map) {
      const copy = new Map<unknown, unknown>();
      seen.set(value, copy);
      for (const [key, part] of [...value]) copy.set(copyOf(key, seen), copyOf(part, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = new Set<unknown>();
      seen.set(value, copy);
      for (const part of [...value]) copy.add(copyOf(part, seen));
      return copy;
    }
    return fieldsCopied(value, Array.isArray(value) ? new Array(value.length) : {}, seen);
  }

  define('structuredClone', (value: unknown, options?: { transfer?: unknown[] }) => {
    if (options?.transfer?.length) {
      throw new Error('The simulated world has no structuredClone with transfer. Leave it out: the copy is the same.');
    }
    return copyOf(value, new Map());
  });
}
