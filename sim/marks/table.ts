type Call = (...told: unknown[]) => void;

/** Those to call, by kind of what happened, in the order in which they came. */
export class Table<Kind extends string = string> {
  readonly #calls = new Map<Kind, Call[]>();

  /** What the kinds are called with is for the types of whoever adds and whoever calls to agree on. */
  add(hooks: { readonly [K in Kind]?: unknown } | undefined): void {
    for (const [kind, call] of Object.entries(hooks ?? {})) {
      if (typeof call !== 'function') continue;
      const known = this.#calls.get(kind as Kind);
      if (known === undefined) this.#calls.set(kind as Kind, [call as Call]);
      else known.push(call as Call);
    }
  }

  of(kind: Kind): readonly Call[] {
    return this.#calls.get(kind) ?? nobody;
  }
}

const nobody: readonly Call[] = [];
