import type { ErrorCode } from '../node/core/errors.ts';
import type { NodeId } from '../node/core/message.ts';
import type { Operation, Outcome } from '../node/core/operation.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** Of each of its tasks, ms. */
export const ttlMs = 3_000;
/** What else it asks is answered within this, or asked again, ms. */
export const patienceMs = 17_000;

interface PatientClientInit {
  world: World;
  random: Random;
  askedAgain: ReadonlySet<ErrorCode>;
  /** The nodes that it may ask; undefined: all. */
  doors(): readonly NodeId[] | undefined;
}

/** A client that asks at one node after the other until there is an outcome that stays. */
export class PatientClient {
  readonly #init: PatientClientInit;

  constructor(init: PatientClientInit) {
    this.#init = init;
  }

  ask(operation: Operation, done: (outcome: Outcome) => void, tries = 1): void {
    const { world, random, askedAgain, doors } = this.#init;
    let over = false;
    const again = (more: object = {}): void => {
      if (over) return;
      over = true;
      const asked = { ...operation, ...more };
      world.timeline.after(random.between(30, 250), () => this.ask(asked, done, tries + 1));
    };
    const there = (doors() ?? world.nodes).filter((node) => world.host(node).state !== 'off');
    if (there.length === 0) return again();
    world.request(random.pick(there), operation, ({ outcome }) => {
      if (over) return;
      if (outcome === undefined || (!outcome.ok && askedAgain.has(outcome.error.code))) return again();
      // Its hosts died for other reasons.
      if (!outcome.ok && outcome.error.code === 'taskSetAside') return again({ retry: `wish-${tries}` });
      over = true;
      done(outcome);
    });
    world.timeline.after(operation.type === 'task' ? ttlMs + 1_000 : patienceMs, () => again());
  }
}
