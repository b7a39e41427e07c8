import type { Observer } from './checkers/checker.ts';

type Hook = keyof Observer;
type Callback<H extends Hook> = NonNullable<Observer[H]>;

/** Those who watch a world, by what they watch for: most steps interest few of them. */
export class Observers {
  readonly #callbacks = new Map<Hook, ((...args: never[]) => void)[]>();

  constructor(observers: readonly Observer[]) {
    for (const observer of observers) this.add(observer);
  }

  add(observer: Observer): void {
    for (const hook of hooks) {
      const callback = observer[hook];
      if (callback === undefined) continue;
      const known = this.#callbacks.get(hook) ?? [];
      this.#callbacks.set(hook, [...known, (callback as (...args: never[]) => void).bind(observer)]);
    }
  }

  /** Those to call for a hook, in the order in which they came. */
  of<H extends Hook>(hook: H): readonly Callback<H>[] {
    return (this.#callbacks.get(hook) ?? nobody) as unknown as readonly Callback<H>[];
  }
}

const nobody: never[] = [];

/** Every hook; a mapped type, so that a new one cannot be forgotten. */
const hooks = Object.keys({
  sent: true,
  happened: true,
  decided: true,
  began: true,
  did: true,
  durable: true,
  reported: true,
  started: true,
  ended: true,
  acted: true,
  asked: true,
  answered: true,
} satisfies { [H in Hook]: true }) as Hook[];
