import type { Address } from '../node/core/agent-outputs.ts';
import { isTimerTask } from '../node/core/mail.ts';
import type { NodeId } from '../node/core/message.ts';
import { fromBytes } from '../node/core/text.ts';
import { Violation } from './checkers/checker.ts';
import type { DeskState, DeskTask, DeskTimer } from './desk.ts';
import type { World } from './world.ts';

interface Sent {
  /** The task with which an agent gives it, and the agent. */
  by: string;
  from: string;
  to: Address;
}

interface Timer extends DeskTimer {
  id: string;
  by: string;
  agent: string;
  /** When it was asked for, ms of the world. */
  askedMs: number;
}

/** Who there is, and what an operator gave up. */
export interface Desks {
  /** Agents by type, and by topic. */
  types: ReadonlyMap<string, readonly string[]>;
  topics: ReadonlyMap<string, readonly string[]>;
  hostOf(agent: string): NodeId | undefined;
  wasLost(agent: string): boolean;
  /** Those who have the topic `extra` when the last letter goes to it. Who has it before is known to nobody outside. */
  lastOwners(): readonly string[];
}

/** The letter that is sent when nobody changes topics any more. */
export const lastId = 'published-last';
const changing = 'extra';

const name = 'eventually-delivered';
/** A clock goes at most a fifth too fast, and has a rate of its own beside. */
const rateMax = 1.35;
/** A timer that is due by its host's clock fires within this, ms. */
const fireWithinMs = 3_000;

/**
 * What the desks give each other by type, by key and by topic, and themselves by timers: where the task that leads to it is
 * part of the sender's history, one agent of the type does it once, always the same for a key; each that has a topic does
 * once what is published to it; a timer fires once, and one that comes again and again goes on.
 */
export class DeskLetters {
  readonly #world: World;
  readonly #desks: Desks;
  readonly #sent = new Map<string, Sent>();
  readonly #timers = new Map<string, Timer>();
  readonly #states = new Map<string, DeskState>();
  /** How often each timer of them had fired when it was first looked whether they go on. */
  readonly #before = new Map<string, number>();
  readonly #setAside = new Set<string>();
  /** An instance was started, by agent; and what happened to clocks. Each makes an occasion of a timer come early once. */
  readonly #starts = new Map<string, number>();
  #clockFaults = 0;
  readonly #steppedClocks = new Set<NodeId | 'world'>();

  constructor(world: World, desks: Desks) {
    this.#world = world;
    this.#desks = desks;
    world.watch({
      reported: (_node, { kind, details }) => {
        if (kind === 'taskSetAside') this.#setAside.add(String(details['agent']));
      },
      did: (_node, effect) => {
        if (effect.type === 'startAgent') this.#starts.set(effect.agent, (this.#starts.get(effect.agent) ?? 0) + 1);
      },
      acted: ({ node, text }) => {
        if (!/clock|pause/.test(text)) return;
        this.#clockFaults += 1;
        this.#steppedClocks.add(node);
      },
      decided: (node, { task, payload }) => {
        if (isTimerTask(task)) this.#judgeTime(node, JSON.parse(fromBytes(payload)) as Partial<DeskTask>);
      },
    });
  }

  send(id: string, by: string, from: string, to: Address): NonNullable<DeskTask['send']> {
    this.#sent.set(id, { by, from, to });
    return { to, id };
  }

  set(by: string, agent: string, timer: DeskTimer): DeskTimer {
    const { id } = timer;
    if (id !== undefined) this.#timers.set(id, { ...timer, id, by, agent, askedMs: this.#world.nowMs });
    return timer;
  }

  learn(agent: string, state: DeskState): void {
    this.#states.set(agent, state);
  }

  /** From here on every timer that comes again has to come once more. */
  beginToWatch(): void {
    for (const { id, agent } of this.#timers.values()) this.#before.set(id, this.#occasions(agent, id)?.count ?? 0);
  }

  /** Something that has not arrived yet. */
  missing(): string | undefined {
    for (const [id, sent] of this.#sent) {
      const { by, from, to } = sent;
      const owners = this.#surelyOf(id, to);
      if (!this.#did(from, by) || [from, ...owners].some((agent) => this.#isExcused(agent))) continue;
      const got = owners.filter((agent) => this.#did(agent, id));
      if (got.length < (isTopic(to) ? owners.length : 1))
        return `${id} of ${from} has come to ${got.join(', ') || 'nobody'}`;
    }
    for (const timer of this.#timers.values())
      if (this.#isOwed(timer)) return `${timer.id} of ${timer.agent} does not fire`;
    return undefined;
  }

  /** Throws at what should not have come, or not so often. */
  check(): void {
    const keys = new Map<string, string>();
    for (const [agent, { counts, occasions }] of this.#states) {
      if (this.#isExcused(agent)) continue;
      for (const [id, count] of Object.entries(counts)) {
        if (count !== 1) throw new Violation(name, `${agent} counted ${id} ${count} times`);
        const sent = this.#sent.get(id);
        if (sent !== undefined && !this.#desks.wasLost(sent.from)) this.#checkOwner(agent, id, sent, keys);
      }
      for (const [id, { count, doubled }] of Object.entries(occasions)) {
        if (doubled) throw new Violation(name, `${id} of ${agent} fired twice for one occasion`);
        this.#checkOften(id, count);
      }
    }
  }

  #checkOwner(agent: string, id: string, { by, from, to }: Sent, keys: Map<string, string>): void {
    const owners = this.#targetsOf(to);
    const isRight = id === lastId ? this.#desks.lastOwners().includes(agent) : owners.includes(agent);
    if (!isRight) throw new Violation(name, `${agent} counted ${id}, which is not for it`);
    if (this.#states.has(from) && !this.#did(from, by)) {
      throw new Violation(name, `${agent} counted ${id}, and ${from} never did ${by} that sends it`);
    }
    if (isTopic(to)) return;
    const all = owners.filter((each) => this.#did(each, id));
    if (all.length > 1) throw new Violation(name, `${all.join(' and ')} counted ${id}, which is for one of them`);
    if (typeof to === 'string' || to.key === undefined) return;
    const key = `${to.type} ${to.key}`;
    const other = keys.get(key) ?? agent;
    if (other !== agent) throw new Violation(name, `${other} and ${agent} got what was sent by the key ${key}`);
    keys.set(key, agent);
  }

  /** It comes once in its time, and early once for what befell its host or the clock there. */
  #checkOften(id: string, count: number): void {
    const timer = this.#timers.get(id);
    if (timer?.everyMs === undefined) throw new Violation(name, `${id} fired, which nobody set`);
    const { agent, askedMs, everyMs } = timer;
    const inTime = ((this.#world.nowMs - askedMs) * rateMax) / everyMs;
    const most = Math.ceil(inTime) + 2 + (this.#starts.get(agent) ?? 0) + this.#clockFaults;
    if (count > most) throw new Violation(name, `${id} of ${agent}, every ${everyMs} ms, fired ${count} times`);
  }

  /** A clock that was never set says whether a time of day has come. */
  #judgeTime(node: NodeId, { id = '' }: Partial<DeskTask>): void {
    const { atMs } = this.#timers.get(id) ?? {};
    const isKnown = this.#states.size === 0 && !this.#steppedClocks.has(node);
    if (atMs === undefined || !isKnown || this.#wallMs(node) >= atMs) return;
    throw new Violation(
      'anytime-timer-in-time',
      `${id} began at ${node} ${atMs - this.#wallMs(node)} ms before its time`,
    );
  }

  #isOwed({ id, name: named, by, agent, atMs, everyMs }: Timer): boolean {
    const state = this.#states.get(agent);
    if (state === undefined || !this.#did(agent, by) || this.#isExcused(agent) || state.timers[named] !== id)
      return false;
    if (everyMs !== undefined) return (this.#occasions(agent, id)?.count ?? 0) <= (this.#before.get(id) ?? 0);
    const host = this.#desks.hostOf(agent);
    if (host === undefined || state.counts[id] !== undefined) return false;
    return atMs === undefined || this.#wallMs(host) >= atMs + fireWithinMs;
  }

  #wallMs(node: NodeId): number {
    return this.#world.host(node).clock.wallMs(this.#world.nowMs);
  }

  /** Those that it must come to, or one of which. */
  #surelyOf(id: string, to: Address): readonly string[] {
    if (id === lastId) return this.#desks.lastOwners();
    return isTopic(to) && to.topic === changing ? [] : this.#targetsOf(to);
  }

  #targetsOf(to: Address): readonly string[] {
    if (typeof to === 'string') return [to];
    return ('topic' in to ? this.#desks.topics.get(to.topic) : this.#desks.types.get(to.type)) ?? [];
  }

  #did(agent: string, id: string): boolean {
    return this.#states.get(agent)?.counts[id] !== undefined;
  }

  #occasions(agent: string, id: string): { count: number } | undefined {
    return this.#states.get(agent)?.occasions[id];
  }

  /** What ended its hosts too often, for other reasons, does not take effect; nor has what was given up to come. */
  #isExcused(agent: string): boolean {
    return this.#setAside.has(agent) || this.#desks.wasLost(agent);
  }
}

const isTopic = (to: Address): to is { topic: string } => typeof to !== 'string' && 'topic' in to;
