import type { Losses } from '../losses.ts';
import type { Operators } from '../operators.ts';
import type { Strike } from '../plan.ts';
import type { World } from '../world.ts';
import { type FaultKind, faults } from './catalog.ts';
import type { Scene } from './fault.ts';

/** Lets the strikes of a plan happen, each at its moment, and takes each back in its time. */
export class Director {
  readonly #world: World;
  readonly #losses: Losses;
  readonly #operators: Operators;
  readonly #poke: Scene['poke'];
  #over = false;
  /** Strikes so far, by kind. */
  readonly counts = new Map<FaultKind, number>();

  constructor(world: World, losses: Losses, operators: Operators, poke: Scene['poke'] = () => {}) {
    this.#world = world;
    this.#losses = losses;
    this.#operators = operators;
    this.#poke = poke;
  }

  /** Plans the strikes, from now on. */
  begin(strikes: readonly Strike[]): void {
    for (const strike of strikes) {
      this.#world.timeline.after(strike.atMs, () => {
        if (!this.#over) this.strike(strike);
      });
    }
  }

  /** No more strikes, and none is taken back any more: whoever ends the faults says what becomes of those that last. */
  end(): void {
    this.#over = true;
  }

  strike({ kind, lastsMs, draw }: Strike): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const world = this.#world;
    faults[kind].strike({
      world,
      losses: this.#losses,
      operators: this.#operators,
      random: world.random.fork(`strike ${draw}`),
      lastsMs,
      isOver: () => this.#over,
      poke: this.#poke,
      mend: (afterMs, mend) =>
        world.timeline.after(afterMs, () => {
          if (!this.#over) mend();
        }),
    });
  }
}
