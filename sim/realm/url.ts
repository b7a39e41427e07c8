import type { Outside, Tools } from './outside.ts';

/** `URLSearchParams`, kept outside and reached by texts. Runs inside a realm. */
export function installSearchParams(outside: Outside, { define, ask }: Tools): void {
  type Texts = Record<string, (...texts: string[]) => unknown>;

  /** The forms that the constructor takes, as text or pairs of texts. */
  function pairsOf(init: unknown): string | [string, string][] {
    if (typeof init !== 'object' || init === null) return init === undefined ? '' : String(init);
    if (!(Symbol.iterator in init)) return Object.entries(init).map(([name, value]) => [name, String(value)]);
    return Array.from(init as Iterable<Iterable<unknown>>, (pair): [string, string] => {
      const [name, value, ...more] = [...pair];
      if (value === undefined || more.length > 0) throw new TypeError('Each query pair must be [name, value]');
      return [String(name), String(value)];
    });
  }

  class RealmSearchParams {
    readonly #params: URLSearchParams;
    static {
      for (const name of ['append', 'set', 'get', 'has', 'delete', 'sort', 'toString']) {
        const method = function (this: RealmSearchParams, ...values: unknown[]): unknown {
          // Only these two take a value that may be left out.
          if ((name === 'has' || name === 'delete') && values[1] === undefined)
            values.length = Math.min(values.length, 1);
          return ask(() => (this.#params as unknown as Texts)[name]?.(...values.map(String)));
        };
        define(name, method, RealmSearchParams.prototype);
      }
    }
    /** `params`: those of a URL, which the two share. */
    constructor(init?: unknown, params?: URLSearchParams) {
      const pairs = pairsOf(init);
      this.#params = params ?? ask(() => new outside.URLSearchParams(pairs));
    }
    get size(): number {
      return this.#params.size;
    }
    getAll(name: unknown): string[] {
      return [...this.#params.getAll(String(name))];
    }
    forEach(visit: (value: string, name: string, all: RealmSearchParams) => void, self?: unknown): void {
      for (const [name, value] of this) visit.call(self, value, name, this);
    }
    *entries(): Generator<[string, string]> {
      for (const [name, value] of this.#params) yield [name, value];
    }
    *keys(): Generator<string> {
      for (const [name] of this) yield name;
    }
    *values(): Generator<string> {
      for (const [, value] of this) yield value;
    }
    [Symbol.iterator](): Generator<[string, string]> {
      return this.entries();
    }
  }
  define('URLSearchParams', RealmSearchParams);
}

/** `URL`, likewise. Runs inside a realm, after the other. */
export function installUrl(outside: Outside, { define, ask }: Tools): void {
  type Part = 'href' | 'origin';
  const parts = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port'];
  const SearchParams = URLSearchParams as new (init: unknown, params: URLSearchParams) => URLSearchParams;

  class RealmUrl {
    readonly #url: URL;
    readonly searchParams: URLSearchParams;
    static {
      for (const name of [...parts, 'pathname', 'search', 'hash'] as Part[]) {
        Object.defineProperty(RealmUrl.prototype, name, {
          configurable: true,
          enumerable: true,
          get(this: RealmUrl) {
            return this.#url[name];
          },
          set(this: RealmUrl, value: unknown) {
            const text = String(value);
            if (name !== 'origin') ask(() => Object.assign(this.#url, { [name]: text }));
          },
        });
      }
    }
    constructor(url: unknown, base?: unknown) {
      const texts: [string, string?] = base === undefined ? [String(url)] : [String(url), String(base)];
      this.#url = ask(() => new outside.URL(...texts));
      this.searchParams = new SearchParams('', this.#url.searchParams);
    }
    static canParse(url: unknown, base?: unknown): boolean {
      return RealmUrl.parse(url, base) !== null;
    }
    static parse(url: unknown, base?: unknown): RealmUrl | null {
      try {
        return new RealmUrl(url, base);
      } catch {
        return null;
      }
    }
    toString(): string {
      return this.#url.href;
    }
    toJSON(): string {
      return this.#url.href;
    }
  }
  define('URL', RealmUrl);
}
