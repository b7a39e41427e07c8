import { decodeMerge } from './merge-payload.ts';
import { whyNotJson } from './plain-json.ts';
import { fromBytes, reasonBytes, toBytes } from './text.ts';
import { noWayBack, type Versions } from './version-change.ts';

/** Where an agent's code runs, as the language there has it: a thread's own, or a place with prototypes of its own. */
export interface Surroundings {
  /** The prototype of plain objects. */
  plain: object;
  /** `JSON.parse`, so that what it makes belongs to the code's side. */
  parse(json: string): unknown;
  /** A copy of bytes that the code may keep. */
  copy(bytes: Uint8Array): Uint8Array;
  isError(value: unknown): value is Error;
  isBytes(value: unknown): value is Uint8Array;
  /**
   * What one task is told: what `told` says, and beside it, not to be enumerated, `taskId`, `signal` and `progress`. The
   * last throws what `tell` returns, in the code's own words for an error.
   */
  taskContext(told: object, taskId: string, tell: (value: unknown) => string | undefined): TaskContext;
  /** Calls one of the two, later, with a value or with what it promises. Neither throws. */
  settle(value: unknown, fulfilled: (value: unknown) => void, rejected: (error: unknown) => void): void;
}

/** What one task is told, of the code's side, and how its signal is aborted. */
export interface TaskContext {
  context: object;
  cancel(): void;
}

/** What becomes of the code. After `failed` the state cannot be had any more, and nothing follows. */
export interface AgentCodeEvents {
  started(state: Uint8Array): void;
  /** Of a refused task, `value` is `{"reason": …}` and `state` the one before it. */
  ran(ok: boolean, value: Uint8Array, state: Uint8Array, outputs?: Uint8Array): void;
  /** What the running task has to tell before it is done, JSON. */
  progress(value: Uint8Array): void;
  failed(reason: string): void;
}

/** The contract that `node/runtime/agent.ts` gives its types to. */
interface Module {
  init(context: object): unknown;
  handle(state: unknown, task: unknown, context: object): unknown;
  checkpoint?(state: unknown): unknown;
  restore?(bytes: Uint8Array, context: object): unknown;
  merge?(base: unknown, ours: unknown, theirs: unknown, context: object): unknown;
  migrate?(state: unknown, versions: object): unknown;
  rollback?(state: unknown, versions: object): unknown;
}

/** A start from a state that another version wrote. `newer`: gives the exports of that version, where it is the newer one. */
export interface CodeChange extends Versions {
  newer?: (() => unknown) | undefined;
}

const reasonLengthMax = 2_000;
/** Of one value that a task tells before it is done, as JSON. */
export const progressBytesMax = 64 * 1024;
/** Values that a task may tell within a second; more are dropped. */
export const progressPerSMax = 100;
/** The name and the message of the error that a cancelled task's signal has as its reason. */
export const cancelled = { name: 'AbortError', message: 'the task was cancelled' } as const;

/** What was thrown, in words; code may throw anything. */
export function reasonOf(error: unknown, isError: Surroundings['isError']): string {
  try {
    const text = isError(error) ? `${error.message || error.name}` : String(error);
    return text.slice(0, reasonLengthMax);
  } catch {
    return 'it threw something that cannot be shown as text';
  }
}

function checkedModule(loaded: unknown): Module {
  const module = (loaded as { default?: Partial<Module> } | null | undefined)?.default;
  if (typeof module?.init !== 'function' || typeof module.handle !== 'function') {
    throw new TypeError('it needs a default export with the functions init and handle');
  }
  if ((module.checkpoint === undefined) !== (module.restore === undefined)) {
    throw new TypeError('it needs both checkpoint and restore, or neither');
  }
  if (module.merge !== undefined && typeof module.merge !== 'function') throw new TypeError('its merge is no function');
  return module as Module;
}

/**
 * One instance of an agent's code and its state, run by the contract: the same in production and in the simulator. The
 * caller gives it one task at a time, and the next one after `ran`.
 */
export class AgentCode {
  readonly #there: Surroundings;
  readonly #events: AgentCodeEvents;
  #context: object = {};
  #module: Module | undefined;
  #state: unknown;
  /** The task that it is at. */
  #task: TaskContext | undefined;
  /** The state as last checkpointed: what a refused task goes back to. */
  #kept: Uint8Array = new Uint8Array();

  constructor(there: Surroundings, events: AgentCodeEvents) {
    this.#there = there;
    this.#events = events;
  }

  /**
   * Starts from a checkpoint or, without one, from nothing. `load` gives the module's exports, or a promise of them.
   * `context` is what the code is told about itself, of the code's side. Ends in `started` or `failed`.
   */
  start(load: () => unknown, context: object, state: Uint8Array | undefined, change?: CodeChange): void {
    if (change !== undefined && change.to < change.from && change.newer === undefined) {
      this.#events.failed(`${noWayBack}: version ${change.from} is not kept any more`);
    } else if (state !== undefined && change?.newer !== undefined)
      this.#goBack(change.newer, load, context, state, change);
    else this.#startFrom(load, context, state, change, '');
  }

  /** `prefix`: of the reason why it cannot. */
  #startFrom(
    load: () => unknown,
    context: object,
    state: Uint8Array | undefined,
    change: Versions | undefined,
    prefix: string,
  ): void {
    let step = `${prefix}its module cannot be used`;
    const failed = (error: unknown): void => this.#events.failed(`${step}: ${this.#reasonOf(error)}`);
    const loaded = (exports: unknown): void => {
      this.#module = checkedModule(exports);
      this.#context = Object.freeze(context);
      if (state === undefined) {
        step = 'init failed';
        return this.#then(this.#module.init(this.#context), begun, failed);
      }
      isMigrated = change !== undefined && this.#module.migrate !== undefined;
      step = `${prefix}its state cannot be ${isMigrated ? 'migrated' : 'restored'}`;
      const first =
        isMigrated && change !== undefined
          ? this.#migrated(this.#module, state, change)
          : this.#restored(this.#module, state);
      this.#then(first, begun, failed);
    };
    let isMigrated = false;
    const begun = (first: unknown): void => {
      step = 'its first checkpoint failed';
      this.#state = first;
      // What it was restored from is what the node has, even where a checkpoint of it would be other bytes.
      this.#kept = isMigrated || state === undefined ? this.#checkpointOf(first) : state;
      this.#events.started(this.#kept);
    };
    try {
      this.#then(load(), loaded, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The newer version says what the older one would have kept, if it can; else that one is to take the state as it is. */
  #goBack(newer: () => unknown, load: () => unknown, context: object, state: Uint8Array, change: Versions): void {
    const failed = (error: unknown): void => this.#events.failed(`${noWayBack}: ${this.#reasonOf(error)}`);
    const both = (newerExports: unknown, exports: unknown): void => {
      const start = (back: Uint8Array): void =>
        this.#startFrom(() => exports, context, back, undefined, `${noWayBack}: `);
      const module = checkedModule(newerExports);
      this.#context = Object.freeze(context);
      const { rollback } = module;
      if (rollback === undefined) {
        if (module.migrate !== undefined && checkedModule(exports).restore === undefined) {
          throw new TypeError(`version ${change.from} has migrate and no rollback`);
        }
        return start(state);
      }
      const restored = (live: unknown): void =>
        this.#then(
          rollback.call(module, live, this.#versions(change)),
          (back) => start(this.#keptByOther(back)),
          failed,
        );
      this.#then(this.#restored(module, state), restored, failed);
    };
    try {
      this.#then(
        newer(),
        (newerExports) => this.#then(load(), (exports) => both(newerExports, exports), failed),
        failed,
      );
    } catch (error) {
      failed(error);
    }
  }

  #versions({ from, to }: Versions): object {
    return Object.freeze(this.#there.parse(JSON.stringify({ from, to })) as object);
  }

  /** What another version keeps: bytes of its own, or else JSON. */
  #keptByOther(state: unknown): Uint8Array {
    if (this.#there.isBytes(state)) return new Uint8Array(state);
    return this.#jsonOf(state, 'what rollback returned', 'Return what the older version keeps.');
  }

  /** It goes on in another epoch, and is told from its next task on. */
  renew(epoch: number): void {
    this.#context = Object.freeze(Object.assign(this.#there.parse('{}') as object, this.#context, { epoch }));
  }

  /** Takes one task, JSON. Ends in `ran`, or in `failed` when the state before a refused task cannot be had back. */
  run(payload: Uint8Array, taskId: string): void {
    const refused = (error: unknown): void => this.#refuse(this.#reasonOf(error));
    const told = this.#there.taskContext(this.#context, taskId, (value) => this.#tell(told, value));
    this.#task = told;
    try {
      const task = this.#there.parse(fromBytes(payload));
      this.#then(this.#module?.handle(this.#state, task, told.context), (answer) => this.#accept(answer), refused);
    } catch (error) {
      refused(error);
    }
  }

  /**
   * Takes in what a branch came to: `payload` is what `encodeMerge` made. Ends as a task does, refused where the code has
   * no `merge`.
   */
  merge(payload: Uint8Array, taskId = ''): void {
    const refused = (error: unknown): void => this.#refuse(this.#reasonOf(error));
    const told = this.#there.taskContext(this.#context, taskId, (value) => this.#tell(told, value));
    this.#task = told;
    try {
      const module = this.#module;
      if (module?.merge === undefined) throw new TypeError('its code has no merge function');
      const { branch, both, base, theirs } = decodeMerge(payload);
      // Beside what each task is told, and of the code's own side.
      const what = this.#there.parse(JSON.stringify({ branch, both })) as object;
      const context = Object.freeze(Object.assign(what, this.#context));
      const merge = (before: unknown, other: unknown): unknown => module.merge?.(before, this.#state, other, context);
      const accept = (state: unknown): void => {
        if (state === undefined) throw new TypeError('merge must return the state');
        this.#accept({ state });
      };
      const withBase = (before: unknown): void =>
        this.#then(
          this.#restored(module, theirs),
          (other) => this.#then(merge(before, other), accept, refused),
          refused,
        );
      this.#then(this.#restored(module, base), withBase, refused);
    } catch (error) {
      refused(error);
    }
  }

  /** Asks the task that it is at to give up: its signal is aborted. It still ends in `ran`. */
  cancel(): void {
    this.#task?.cancel();
  }

  /** Returns why the value cannot be told; undefined when it is told, or when the task that tells it is over. */
  #tell(teller: TaskContext, value: unknown): string | undefined {
    if (this.#task !== teller) return undefined;
    let bytes: Uint8Array;
    try {
      bytes = this.#jsonOf(value, 'progress', 'Tell plain objects.');
    } catch (error) {
      return this.#reasonOf(error);
    }
    if (bytes.byteLength > progressBytesMax) {
      return `progress of ${bytes.byteLength} bytes is too much: at most ${progressBytesMax}. Tell less at a time.`;
    }
    this.#events.progress(bytes);
    return undefined;
  }

  #accept(answer: unknown): void {
    if (typeof answer !== 'object' || answer === null || !('state' in answer)) {
      throw new TypeError('handle must return { state, result }');
    }
    const result = 'result' in answer ? answer.result : undefined;
    const value = this.#jsonOf(result ?? null, 'result', 'Return plain objects.');
    const outputs = this.#outputsOf(answer);
    const next = this.#checkpointOf(answer.state);
    this.#state = answer.state;
    this.#kept = next;
    this.#task = undefined;
    this.#events.ran(true, value, next, outputs);
  }

  /** What it sends and the timers that it sets, unchecked but for being JSON; undefined where there is neither. */
  #outputsOf(answer: object): Uint8Array | undefined {
    const { send, timers } = answer as { send?: unknown; timers?: unknown };
    if (send === undefined && timers === undefined) return undefined;
    const given = { ...(send !== undefined && { send }), ...(timers !== undefined && { timers }) };
    for (const [what, part] of Object.entries(given)) this.#jsonOf(part, what, 'Send plain objects.');
    return toBytes(JSON.stringify(given));
  }

  /** The task may have changed half of the state before it threw. */
  #refuse(reason: string): void {
    const failed = (error: unknown): void =>
      this.#events.failed(`the state before a refused task cannot be restored: ${this.#reasonOf(error)}`);
    this.#task = undefined;
    const back = (state: unknown): void => {
      this.#state = state;
      this.#events.ran(false, reasonBytes(reason), this.#kept);
    };
    try {
      this.#then(this.#restored(this.#module, this.#kept), back, failed);
    } catch (error) {
      failed(error);
    }
  }

  #then(value: unknown, next: (value: unknown) => void, failed: (error: unknown) => void): void {
    const done = (settled: unknown): void => {
      try {
        next(settled);
      } catch (error) {
        failed(error);
      }
    };
    this.#there.settle(value, done, failed);
  }

  #restored(module: Module | undefined, bytes: Uint8Array): unknown {
    if (module?.restore !== undefined) return module.restore(this.#there.copy(bytes), this.#context);
    return this.#there.parse(fromBytes(bytes));
  }

  /** From what another version kept: its bytes where this one keeps bytes, else JSON. */
  #migrated(module: Module, bytes: Uint8Array, change: Versions): unknown {
    const kept = module.restore === undefined ? this.#there.parse(fromBytes(bytes)) : this.#there.copy(bytes);
    return module.migrate?.(kept, this.#versions(change));
  }

  /** The state as bytes of its own: neither the agent nor a pool of buffers shares their memory. */
  #checkpointOf(state: unknown): Uint8Array {
    if (this.#module?.checkpoint === undefined) {
      return this.#jsonOf(state, 'state', 'Keep plain objects, or give the agent checkpoint and restore.');
    }
    const bytes = this.#module.checkpoint(state);
    if (!this.#there.isBytes(bytes)) throw new TypeError('checkpoint must return a Uint8Array');
    return new Uint8Array(bytes);
  }

  #jsonOf(value: unknown, what: string, advice: string): Uint8Array {
    let why: string | undefined;
    try {
      why = whyNotJson(value, this.#there.plain);
    } catch (error) {
      why = `: ${this.#reasonOf(error)}`;
    }
    if (why !== undefined) throw new TypeError(`${what} is not plain JSON: ${what}${why}. ${advice}`);
    return toBytes(JSON.stringify(value));
  }

  #reasonOf(error: unknown): string {
    return reasonOf(error, this.#there.isError);
  }
}
