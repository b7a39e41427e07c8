/**
 * What the world offers to the inside of a realm. It never reaches an agent: the functions that are installed inside
 * keep it to themselves and pass on texts, numbers and copied bytes.
 */
export interface Outside {
  /** Wall clock of the machine, ms since 1970. */
  wallMs(): number;
  /** The same at the instance's start. */
  startedMs: number;
  /** The instance's own generator, [0, 1). */
  random(): number;
  print(values: unknown[]): void;
  encoder: TextEncoder;
  TextDecoder: typeof TextDecoder;
  URL: typeof URL;
  URLSearchParams: typeof URLSearchParams;
  atob(text: string): string;
  btoa(text: string): string;
}

/** What the functions installed inside share. */
export interface Tools {
  /** A global of the realm, or a property of another object, by default as built-in ones are: not enumerated. */
  define(name: PropertyKey, value: unknown, owner?: object, enumerable?: boolean): void;
  /** The world's answer; its errors become errors of the realm. */
  ask<T>(question: () => T): T;
}

/**
 * A function whose text is run inside a realm, so it uses nothing but its parameters and the language itself, and a
 * bundler must not put helpers of its own into it, as it does to keep names.
 */
export type Install = (outside: Outside, tools: Tools) => void;

export function makeTools(): Tools {
  const kinds = new Map<unknown, ErrorConstructor>([
    ['TypeError', TypeError],
    ['RangeError', RangeError],
    ['SyntaxError', SyntaxError],
  ]);
  return {
    define(name, value, owner = globalThis, enumerable = false) {
      Object.defineProperty(owner, name, { value, writable: true, configurable: true, enumerable });
      if (typeof value === 'function' && name !== 'constructor')
        Object.defineProperty(value, 'name', { value: String(name), configurable: true });
    },
    ask(question) {
      try {
        return question();
      } catch (error) {
        const { name, message, code } = error as Error & { code?: unknown };
        const own = new (kinds.get(name) ?? Error)(message);
        if (own.name !== name)
          Object.defineProperty(own, 'name', { value: String(name), configurable: true, writable: true });
        throw code === undefined ? own : Object.assign(own, { code });
      }
    },
  };
}
