import type { Address } from '../node/core/agent-outputs.ts';
import type { ErrorCode } from '../node/core/errors.ts';
import type { NodeId } from '../node/core/message.ts';
import type { Operation, Results } from '../node/core/operation.ts';
import type { AcceptedLosses } from './accepted-losses.ts';
import { Violation } from './checkers/checker.ts';
import { type DeskTask, type DeskTimer, readDesk } from './desk.ts';
import { DeskLetters, lastId } from './desk-letters.ts';
import type { Ledger } from './ledger.ts';
import { PatientClient, patienceMs, ttlMs } from './patient-client.ts';
import type { Random } from './random.ts';
import { retried } from './retried.ts';
import type { World } from './world.ts';

/** Agents that send by type, by key and by topic. */
export interface DeskSettings {
  /** Those that send, and those that only get. */
  desks: number;
  booths: number;
  clients: number;
  holders: number;
  /** Longest between the answer of one task and the next, ms. */
  thinkMsMax: number;
}

/** What is known of the world beside what the clients see. */
interface Knowledge {
  ledger: Ledger;
  /** What operators gave up. */
  accepted: AcceptedLosses;
}

const askedAgain: ReadonlySet<ErrorCode> = new Set([...retried, 'agentUnplaceable'] as const);
const name = 'eventually-delivered';
const keys = ['a', 'b', 'c', 'd', 'e'] as const;
const encoder = new TextEncoder();
/** With nothing wrong any more every node has read what the log decided within this, ms. */
const readWithinMs = 3_000;

/**
 * Desks and booths, and the clients whose tasks have desks send to them. The desks are deployed when the booths are there:
 * whoever hosts a desk knows them all, and what a desk sends by type or topic is for all of them.
 */
export class Desks {
  readonly #world: World;
  readonly #settings: DeskSettings;
  readonly #random: Random;
  readonly #client: PatientClient;
  readonly #desks: string[];
  readonly #booths: string[];
  readonly #letters: DeskLetters;
  doors: readonly NodeId[] | undefined;
  /** The booths that have the topic `extra` in the end, once they do. */
  #extra: readonly string[] = [];
  #isDeployed = false;
  #stopping = false;
  #outstanding = 0;
  #count = 0;

  constructor(world: World, settings: DeskSettings, { ledger, accepted }: Knowledge) {
    this.#world = world;
    this.#settings = settings;
    this.#random = world.random.fork('desks');
    this.#client = new PatientClient({ world, random: this.#random, askedAgain, doors: () => this.doors });
    this.#desks = namesOf('desk', settings.desks);
    this.#booths = namesOf('booth', settings.booths);
    this.#letters = new DeskLetters(world, {
      hostOf: (agent) => ledger.agents.get(agent)?.active?.host,
      wasLost: (agent) => accepted.indexOf(agent) !== undefined,
      types: new Map([
        ['desk', this.#desks],
        ['booth', this.#booths],
      ]),
      topics: new Map([
        ['news', this.agents],
        ['notes', this.#booths],
        // Some of them have it, and others at other times.
        ['extra', this.#booths],
      ]),
      lastOwners: () => this.#extra,
    });
  }

  get agents(): string[] {
    return [...this.#desks, ...this.#booths];
  }

  get deployed(): boolean {
    return this.#isDeployed;
  }

  get drained(): boolean {
    return this.#outstanding === 0;
  }

  begin(): void {
    this.#deploy('booth', this.#booths.length, ['news', 'notes'], () =>
      this.#deploy('desk', this.#desks.length, ['news'], () => {
        this.#isDeployed = true;
        for (let i = 1; i <= this.#settings.clients; i++) this.#next(this.#random.fork(`client ${i}`));
      }),
    );
  }

  stop(): void {
    this.#stopping = true;
  }

  #deploy(type: string, count: number, topics: string[], done: () => void): void {
    const operation: Operation = {
      ...{ type: 'deploy', request: `deploy-${type}`, agentType: type, source: 'simulated', name: type, count },
      ...{ strategy: 'least_loaded', capabilities: [], holders: this.#settings.holders, topics },
    };
    this.#client.ask(operation, (outcome) => {
      if (!outcome.ok) throw new Violation('desks', `deploy was refused: ${outcome.error.message}`);
      done();
    });
  }

  #next(random: Random): void {
    this.#world.timeline.after(random.between(50, this.#settings.thinkMsMax), () => {
      if (this.#stopping) return;
      if (random.chance(0.06)) return this.#setTopics(random, random.pick(this.#booths), () => this.#next(random));
      const agent = random.pick(this.#desks);
      const id = `desk-task-${++this.#count}`;
      const task: DeskTask = { id, ...this.#wish(random, id, agent) };
      this.#outstanding += 1;
      this.#client.ask(
        { type: 'task', agent, task: id, payload: encoder.encode(JSON.stringify(task)), ttlMs },
        (outcome) => {
          // With too much under way already it is refused.
          if (!outcome.ok && outcome.error.code !== 'taskFailed') {
            throw new Violation('desks', `${id} of ${agent} was refused: ${outcome.error.message}`);
          }
          this.#outstanding -= 1;
          this.#next(random);
        },
      );
    });
  }

  /** A booth has or has not the topic `extra` from here on. */
  #setTopics(random: Random, agent: string, done: (isExtra: boolean) => void): void {
    const isExtra = random.chance(0.5);
    const topics = ['news', 'notes', ...(isExtra ? ['extra'] : [])];
    this.#outstanding += 1;
    this.#client.ask({ type: 'setTopics', agent, topics }, (outcome) => {
      if (!outcome.ok) throw new Violation('desks', `the topics of ${agent} were not set: ${outcome.error.message}`);
      this.#outstanding -= 1;
      done(isExtra);
    });
  }

  #wish(random: Random, by: string, agent: string): Pick<DeskTask, 'send' | 'timer'> {
    if (random.chance(0.3)) return { timer: this.#letters.set(by, agent, this.#timer(random, by)) };
    const type = random.pick(['desk', 'booth']);
    const ways: readonly (readonly [string, Address])[] = [
      ['by-type', { type }],
      ['by-key', { type, key: random.pick(keys) }],
      ['published', { topic: random.pick(['news', 'notes', 'extra']) }],
    ];
    const [way, to] = random.pick(ways);
    return { send: this.#letters.send(`${way}-${by}`, by, agent, to) };
  }

  /** Each of a time of day has a name of its own; those that come again replace each other, and are taken back now and then. */
  #timer(random: Random, by: string): DeskTimer {
    const { nowMs, nodes } = this.#world;
    if (random.chance(0.4)) {
      const wallMs = this.#world.host(random.pick(nodes)).clock.wallMs(nowMs);
      return { name: `at-${by}`, id: `at-${by}`, atMs: wallMs + random.below(5_000) };
    }
    const named = `every-${random.below(2)}`;
    if (random.chance(0.1)) return { name: named };
    return { name: named, id: `every-${by}`, afterMs: random.below(2_000), everyMs: random.pick([400, 1_000, 2_500]) };
  }

  // ---- in the end ----

  /** When nobody changes topics any more and every node has read which they are, what is published goes by them. */
  #publishAtLast(withinMs: number): void {
    // What was asked for again may take effect until its time is up.
    this.#world.runFor(patienceMs);
    const random = this.#random.fork('at last');
    const chosen: string[] = [];
    for (const booth of this.#booths) this.#setTopics(random, booth, (isExtra) => isExtra && chosen.push(booth));
    const isSettled = (): boolean => this.#outstanding === 0;
    this.#world.runUntil(isSettled, withinMs, 'the topics of every booth', name);
    this.#world.runFor(readWithinMs);
    this.#extra = chosen;
    const [agent = ''] = this.#desks;
    const send = this.#letters.send(lastId, 'desk-task-last', agent, { topic: 'extra' });
    const payload = encoder.encode(JSON.stringify({ id: 'desk-task-last', send }));
    this.#outstanding += 1;
    this.#client.ask({ type: 'task', agent, task: 'desk-task-last', payload, ttlMs }, () => (this.#outstanding -= 1));
    this.#world.runUntil(isSettled, withinMs, 'an answer of the desk that publishes', name);
  }

  /** Reads the states until everything has come that is to, and every timer that goes on has come once more. */
  judge(withinMs: number): void {
    this.#publishAtLast(withinMs);
    const endMs = this.#world.nowMs + withinMs;
    let rounds = 0;
    let read = 0;
    const isOver = (): boolean => rounds > 1 && (this.#letters.missing() === undefined || this.#world.nowMs >= endMs);
    const readAll = (): void => {
      if (isOver()) return;
      read = 0;
      for (const agent of this.agents) {
        this.#client.ask({ type: 'state', agent, ttlMs }, (outcome) => {
          if (!outcome.ok) throw new Violation(name, `the state of ${agent} cannot be read: ${outcome.error.message}`);
          this.#letters.learn(agent, readDesk((outcome.result as Results['state']).state));
          read += 1;
          if (read < this.agents.length) return;
          rounds += 1;
          if (rounds === 1) this.#letters.beginToWatch();
          this.#world.timeline.after(300, readAll);
        });
      }
    };
    readAll();
    this.#world.runUntil(isOver, withinMs + patienceMs, 'the arrival of what desks sent', name);
    const missing = this.#letters.missing();
    if (missing !== undefined) throw this.#world.failure(missing, new Violation(name, missing));
    try {
      this.#letters.check();
    } catch (error) {
      throw this.#world.failure(String(error), error);
    }
  }
}

const namesOf = (type: string, count: number): string[] =>
  count === 1 ? [type] : Array.from({ length: count }, (_, i) => `${type}-${i + 1}`);
