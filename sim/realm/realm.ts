import { types } from 'node:util';
import { constants, createContext, Script } from 'node:vm';
import { cancelled, reasonOf, type Surroundings } from '../../node/core/agent-code.ts';
import { installAbsent } from './absent.ts';
import { installChance } from './chance.ts';
import { installClock } from './clock.ts';
import { installClone } from './clone.ts';
import { installEncoding } from './encoding.ts';
import { type Install, makeTools, type Outside, type Tools } from './outside.ts';
import { Rejections } from './rejections.ts';
import { makeTaskContexts } from './task-context.ts';
import { installSearchParams, installUrl } from './url.ts';

/** What the realm's inside lends to the world. */
interface Border {
  plain: object;
  Error: ErrorConstructor;
  parse(json: string): unknown;
  copy(bytes: Uint8Array): Uint8Array;
  settle(value: unknown, fulfilled: (value: unknown) => void, rejected: (error: unknown) => void): Promise<void>;
  taskContext: Surroundings['taskContext'];
}

/** Made before the agent's code comes, which can change all of this for itself but not here. Runs inside a realm. */
function makeBorder(work: () => void, { define }: Tools, taskContext: Border['taskContext']): Border {
  const { parse } = JSON;
  const Bytes = Uint8Array;
  const Pending = Promise;
  const { apply } = Reflect;
  const { resolve, prototype } = Pending;
  const { then } = prototype;
  const door = Symbol.for('conclave.work');
  define(door, () => work());
  Object.defineProperty(globalThis, door, { writable: false, configurable: false });
  return {
    plain: Object.prototype,
    Error,
    parse: (json) => parse(json),
    taskContext,
    copy: (bytes) => new Bytes(bytes),
    settle(value, fulfilled, rejected) {
      // The functions of the world must not be the steps themselves: those are run with the promises of the world.
      const steps = [(result: unknown) => fulfilled(result), (error: unknown) => rejected(error)];
      return apply(then, apply(resolve, Pending, [value]), steps) as Promise<void>;
    },
  };
}

const installs: Install[] = [
  ...[installClock, installChance, installEncoding, installSearchParams, installUrl],
  ...[installClone, installAbsent],
];
const inside = new Script(
  `'use strict'; (outside, work) => {
    const tools = (${makeTools})();
    const taskContext = (${makeTaskContexts})(tools, ${JSON.stringify(cancelled)});
    const border = (${makeBorder})(work, tools, taskContext);
    ${installs.map((install) => `(${install})(outside, tools);`).join('\n')}
    return border;
  }`,
  { filename: 'realm.js' },
);
const work = new Script("globalThis[Symbol.for('conclave.work')]()", { filename: 'work.js' });
const ignore = (): void => {};

/**
 * A world of its own for one instance of an agent: the JavaScript language with its own built-in objects, a clock and
 * chance that are given, and nothing else. It keeps instances and runs apart; against malice it protects nobody.
 */
export class Realm {
  readonly surroundings: Surroundings;
  readonly #global: object;
  readonly #border: Border;
  readonly #rejections = new Rejections();
  readonly #workMsMax: number;
  #work: () => void = ignore;

  /** `workMsMax`: how long, in real time, one piece of work may take; 0 for no limit. */
  constructor(outside: Outside, workMsMax: number) {
    this.#workMsMax = workMsMax;
    this.#global = createContext(constants.DONT_CONTEXTIFY, { microtaskMode: 'afterEvaluate' });
    const enter = inside.runInContext(this.#global) as (outside: Outside, work: () => void) => Border;
    this.#border = enter(outside, () => this.#work());
    const { plain, parse, copy, taskContext, Error: RealmError } = this.#border;
    this.surroundings = {
      plain,
      parse,
      copy,
      taskContext,
      isError: (value) => types.isNativeError(value) || value instanceof RealmError,
      isBytes: (value) => types.isUint8Array(value),
      settle: (value, fulfilled, rejected) => this.#rejections.handle(this.#border.settle(value, fulfilled, rejected)),
    };
  }

  /** Runs a script and returns a global by its name. To be called as part of a piece of work. */
  load(script: Script, name: string): unknown {
    script.runInContext(this.#global);
    return Reflect.get(this.#global, name);
  }

  /**
   * Does a piece of work, and all that its promises have to do then. Returns why the realm is of no use any more: the
   * work has no end, or a promise was rejected that nobody handles, which ends a thread in production.
   */
  do(piece: () => void): string | undefined {
    try {
      this.#rejections.during(() => this.#enter(piece));
      return this.#outsideTasks();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      // What it left to do may have no end either, so it is not entered again; Node must not miss a handler, though.
      for (const promise of this.#rejections.take()) Promise.prototype.then.call(promise, ignore, ignore);
      return `it ran for ${this.#workMsMax} ms of real time without an end. In a task the clock stands still`;
    }
  }

  #enter(piece: () => void): void {
    this.#work = piece;
    try {
      work.runInContext(this.#global, this.#workMsMax > 0 ? { timeout: this.#workMsMax } : {});
    } finally {
      this.#work = ignore;
    }
  }

  #outsideTasks(): string | undefined {
    const open = this.#rejections.take();
    if (open.length === 0) return undefined;
    let why: string | undefined;
    const rejected = (error: unknown): void => {
      why ??= `it threw outside its tasks: ${reasonOf(error, this.surroundings.isError)}`;
    };
    this.#enter(() => {
      for (const promise of open) this.#border.settle(promise, ignore, rejected);
    });
    return why;
  }
}
