import type { Outside, Tools } from './outside.ts';

/** `URL` and `URLSearchParams`, kept outside and reached by texts. Runs inside a realm. */
export function installUrl(outside: Outside, { define, ask }: Tools): void {
  type Pairs = Iterable<Iterable<unknown>>;
  let adopt: (params: URLSearchParams) => RealmSearchParams;

  /** The forms that the constructor takes, as text or pairs of texts. */
  function pairsOf(init: unknown): string | [string, string][] {
    if (init === undefined || init === null) return '';
    if (typeof init !== 'object') return String(init);
    if (!(Symbol.iterator in init)) return Object.entries(init).map(([name, value]) => [name, String(value)]);
    return Array.from(init as Pairs, (pair): [string, string] => {
      const [name, value, ...more] = [...pair];
      if (value === undefined || more.length > 0) throw new TypeError('Each query pair must be [name, value]');
      return [String(name), String(value)];
    });
  }

  class RealmSearchParams {
    #params: URLSearchParams;
    static {
      adopt = (params) => {
        const made = new RealmSearchParams();
        made.#params = params;
        return made;
      };
    }
    constructor(init?: unknown) {
      const pairs = pairsOf(init);
      this.#params = ask(() => new outside.URLSearchParams(pairs));
    }
    get size(): number {
      return this.#params.size;
    }
    append(name: unknown, value: unknown): void {
      this.#params.append(String(name), String(value));
    }
    set(name: unknown, value: unknown): void {
      this.#params.set(String(name), String(value));
    }
    get(name: unknown): string | null {
      return this.#params.get(String(name));
    }
    getAll(name: unknown): string[] {
      return [...this.#params.getAll(String(name))];
    }
    has(name: unknown, value?: unknown): boolean {
      return value === undefined ? this.#params.has(String(name)) : this.#params.has(String(name), String(value));
    }
    delete(name: unknown, value?: unknown): void {
      if (value === undefined) this.#params.delete(String(name));
      else this.#params.delete(String(name), String(value));
    }
    sort(): void {
      this.#params.sort();
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
    toString(): string {
      return this.#params.toString();
    }
  }
  define('URLSearchParams', RealmSearchParams);
  define('URL', makeUrl());

  function makeUrl(): unknown {
    const settable = ['href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];
    class RealmUrl {
      readonly #url: URL;
      readonly #params: RealmSearchParams;
      static {
        for (const name of [...settable, 'origin'] as ('href' | 'origin')[]) {
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
        this.#params = adopt(this.#url.searchParams);
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
      get searchParams(): RealmSearchParams {
        return this.#params;
      }
      toString(): string {
        return this.#url.href;
      }
      toJSON(): string {
        return this.#url.href;
      }
    }
    return RealmUrl;
  }
}
