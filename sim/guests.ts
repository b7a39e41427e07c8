import type { ErrorCode } from '../node/core/errors.ts';
import type { NodeId } from '../node/core/message.ts';
import type { Operation, Outcome, Results } from '../node/core/operation.ts';
import { Violation } from './checkers/checker.ts';
import type { Random } from './random.ts';
import { retried } from './retried.ts';
import type { World } from './world.ts';

/** A user's own agents in a run. */
export interface GuestSettings {
  type: string;
  /** Instances of that type. */
  count: number;
  /** What each is given, one after the other and from the beginning again; plain JSON. */
  tasks: readonly unknown[];
}

/** A task that was sent, and what it was answered. */
export interface GuestTask {
  payload: Uint8Array;
  sentMs: number;
  /** When it was answered, and with what; undefined while it is not. */
  answered: { atMs: number; ok: boolean; value: Uint8Array | undefined } | undefined;
  tries: number;
}

const askedAgain: ReadonlySet<ErrorCode> = new Set([...retried, 'agentUnplaceable'] as const);
const ttlMs = 3_000;
const thinkMsMax = 200;
const encoder = new TextEncoder();

/** A user's agents and their clients: one for each, that sends its tasks and keeps on until each is answered. */
export class Guests {
  readonly settings: GuestSettings;
  readonly #world: World;
  readonly #random: Random;
  /** By agent and task id, in the order in which they were sent. */
  readonly sent = new Map<string, Map<string, GuestTask>>();
  doors: readonly NodeId[] | undefined;
  deployed = false;
  #stopping = false;
  #outstanding = 0;

  constructor(world: World, settings: GuestSettings) {
    this.#world = world;
    this.settings = settings;
    this.#random = world.random.fork('guests');
  }

  get agents(): string[] {
    const { type, count } = this.settings;
    return count === 1 ? [type] : Array.from({ length: count }, (_, i) => `${type}-${i + 1}`);
  }

  get drained(): boolean {
    return this.#outstanding === 0;
  }

  /** Deploys them, and lets their clients begin when that is done. */
  begin(): void {
    const { type, count } = this.settings;
    const operation: Operation = {
      type: 'deploy',
      request: `deploy-${type}`,
      agentType: type,
      source: 'simulated',
      name: type,
      count,
      strategy: 'least_loaded',
      capabilities: [],
      holders: 3,
    };
    this.#ask(operation, (outcome) => {
      if (!outcome.ok) throw new Violation('guests', `deploy was refused: ${outcome.error.message}`);
      this.deployed = true;
      for (const agent of this.agents) {
        this.sent.set(agent, new Map());
        this.#next(agent, this.#random.fork(agent), 1);
      }
    });
  }

  stop(): void {
    this.#stopping = true;
  }

  #next(agent: string, random: Random, count: number): void {
    this.#world.timeline.after(random.between(1, thinkMsMax), () => {
      if (this.#stopping) return;
      const { tasks } = this.settings;
      const payload = encoder.encode(JSON.stringify(tasks[(count - 1) % tasks.length]));
      const task = `${agent}-task-${count}`;
      const record: GuestTask = { payload, sentMs: this.#world.nowMs, answered: undefined, tries: 0 };
      this.sent.get(agent)?.set(task, record);
      this.#outstanding += 1;
      const operation: Operation = { type: 'task', agent, task, payload, ttlMs };
      this.#ask(operation, (outcome, tries) => {
        this.#outstanding -= 1;
        record.tries = tries;
        const value = outcome.ok ? (outcome.result as Results['task']).value : undefined;
        record.answered = { atMs: this.#world.nowMs, ok: outcome.ok, value };
        this.#next(agent, random, count + 1);
      });
    });
  }

  /** Asks at one node after the other until there is an outcome. */
  #ask(operation: Operation, done: (outcome: Outcome, tries: number) => void, tries = 1): void {
    let over = false;
    const again = (more: object = {}): void => {
      if (over) return;
      over = true;
      const delayMs = this.#random.between(30, 250);
      this.#world.timeline.after(delayMs, () => this.#ask({ ...operation, ...more }, done, tries + 1));
    };
    const there = (this.doors ?? this.#world.nodes).filter((node) => this.#world.host(node).state !== 'off');
    if (there.length === 0) return again();
    const patienceMs = operation.type === 'task' ? ttlMs + 1_000 : 17_000;
    this.#world.request(this.#random.pick(there), operation, ({ outcome }) => {
      if (over) return;
      if (outcome === undefined || (!outcome.ok && askedAgain.has(outcome.error.code))) return again();
      // Its hosts died for other reasons.
      if (!outcome.ok && outcome.error.code === 'taskSetAside') return again({ retry: `wish-${tries}` });
      over = true;
      done(outcome, tries);
    });
    this.#world.timeline.after(patienceMs, () => again());
  }
}
