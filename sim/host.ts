import { type Effect, type EffectOf, passesWrites, type Write } from '../node/core/effect.ts';
import type { Event } from '../node/core/event.ts';
import type { Message, NodeId, Profile } from '../node/core/message.ts';
import type { Instant, NodeInit } from '../node/core/node.ts';
import type { Operation } from '../node/core/operation.ts';
import { decode, encode } from '../node/core/wire/codec.ts';
import { type RunnerSettings, runnerEffects, SimRunner } from './agents.ts';
import { Clock } from './clock.ts';
import { type Disk, DiskDamaged, type Unsynced } from './disk.ts';
import { Inbox } from './inbox.ts';
import type { Network, Port } from './network.ts';
import type { Program } from './program.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import { hashBytes, type Trace } from './trace.ts';

/** The node as a host needs it: the production `Node`, or another state machine of the same form. */
export interface SimNode {
  handle(event: Event, at: Instant): Effect[];
  /** Several that came together; one after the other where this is not there. */
  handleAll?(events: readonly Event[], at: Instant): Effect[];
}

export type NodeFactory = (init: NodeInit) => SimNode;

/** What a host tells the world. */
export interface HostEvents {
  /** Something is about to be handed to the node. */
  happened(node: NodeId, event: Event): void;
  /** The node decided that a task is to be begun. */
  decided(node: NodeId, effect: EffectOf<'runTask'>): void;
  /** The code of an agent began a task. */
  began(node: NodeId, agent: string, task: string): void;
  /** An effect was carried out. */
  did(node: NodeId, effect: Effect): void;
  sent(node: NodeId, cluster: string, message: Message, to: NodeId | undefined): void;
  durable(node: NodeId, writes: readonly Write[]): void;
  /** The process ended by itself: it said so, its disk failed, or its records are damaged. */
  exited(node: NodeId, why: 'exit' | 'diskFailed' | 'diskDamaged', code: number, reason: string): void;
}

export interface HostParts {
  id: NodeId;
  profile: Profile;
  join: string[];
  expect: number;
  timeline: Timeline;
  network: Network;
  trace: Trace;
  disk: Disk;
  random: Random;
  programs: ReadonlyMap<string, Program>;
  runner: RunnerSettings;
  createNode: NodeFactory;
  events: HostEvents;
  /** Frames and requests that come within this long of each other are handed to the node together, ms. */
  gatherMsMax: number;
  /** How far this machine's wall clock is off, ms. */
  clockOffsetMs: number;
  /** Seconds of its clock in one of the world's. */
  clockRate: number;
}

type Execute = { [K in Effect['type']]: (effect: EffectOf<K>) => void };

const loadIntervalMs = 1_000;
/** Timers of a real process are late by up to this much. */
const timerLateMsMax = 1.5;
const batchWritesMax = 4_096;
/** Events that wait for an overloaded process, as its load tells it. */
const eventsBehind = 20;
/** Exit codes of production: see docs/operations.md. */
const exitCodes = { diskFailed: 74, diskDamaged: 65 };

/** A machine of the world: it runs one life of a node after another on the same disk, effects in their strict order. */
export class Host {
  readonly id: NodeId;
  readonly profile: Profile;
  readonly clock: Clock;
  readonly #parts: HostParts;
  readonly #execute: Execute;
  #node: SimNode | undefined;
  #runner: SimRunner | undefined;
  /** Counts starts: what an earlier life planned does not happen in a later one. */
  #life = 0;
  readonly #inbox: Inbox;
  /** What came and is handed to the node with whatever comes next. */
  #gathered: { event: Event; frame: number }[] = [];
  #ordered: Effect[] = [];
  #writing = false;
  #wish = 0;

  constructor(parts: HostParts) {
    this.id = parts.id;
    this.profile = parts.profile;
    this.#parts = parts;
    this.#inbox = new Inbox(parts.timeline, parts.id);
    this.#execute = this.#effects();
    const originMs = parts.random.fork('origin').between(0, 1_000_000);
    this.clock = new Clock(parts.timeline.nowMs, originMs, parts.clockRate, parts.clockOffsetMs);
  }

  get state(): 'off' | 'running' | 'paused' {
    if (this.#runner === undefined) return 'off';
    return this.#inbox.isPaused ? 'paused' : 'running';
  }

  /** How long the node takes for each event, ms of the world: above 0 while the machine is overloaded. */
  get serviceMs(): number {
    return this.#inbox.serviceMs;
  }

  set serviceMs(ms: number) {
    this.#inbox.serviceMs = ms;
  }

  get disk(): Disk {
    return this.#parts.disk;
  }

  /** The running state machine, for whoever built it. */
  get node(): SimNode | undefined {
    return this.#node;
  }

  /** Effects that wait for the disk. */
  get effectsWaiting(): number {
    return this.#ordered.length;
  }

  /** Agent instances of the present life, and the task each is busy with. */
  get runner(): SimRunner | undefined {
    return this.#runner;
  }

  failAgent(agent: string, epoch: number, reason: string): void {
    this.#runner?.fail(agent, epoch, reason);
  }

  /** Starts a life: reads the disk, listens, and wakes the node for the first time. */
  start(): void {
    if (this.#runner !== undefined) throw new Error(`${this.id} runs already`);
    const { id, profile, network, random, programs, runner, events } = this.#parts;
    this.#life += 1;
    const lifeRandom = random.fork(`life ${this.#life}`);
    const process = {
      later: this.#later.bind(this),
      feed: this.feed.bind(this),
      instant: () => this.#instant(),
      began: (agent: string, task: string) => events.began(id, agent, task),
    };
    this.#runner = new SimRunner(process, lifeRandom.fork('runner'), programs, runner);
    network.attach(id, profile.addresses, this.#port());
    this.#later(0, () => this.#boot(lifeRandom));
  }

  #boot(lifeRandom: Random): void {
    const { id, profile, join, expect, disk, createNode } = this.#parts;
    const drawn = lifeRandom.fork('node');
    const start = `${id}/${this.#life}`;
    let records: Map<string, Uint8Array>;
    try {
      records = disk.load();
    } catch (error) {
      if (error instanceof DiskDamaged) return this.#exit('diskDamaged', exitCodes.diskDamaged, error.message);
      throw error;
    }
    const at = this.#instant();
    this.#node = createNode({ id, start, profile, records, join, expect, random: () => drawn.next(), at });
    this.feed({ type: 'wake' });
    this.#sampleLoad(lifeRandom.fork('load'));
  }

  /** Ends this life at once. With `notice` the connections close, else the machine just goes silent. */
  end(notice: boolean): Unsynced {
    if (this.#runner === undefined) return 'none';
    this.#life += 1;
    this.#node = undefined;
    this.#runner = undefined;
    this.#inbox.clear();
    this.#gathered = [];
    this.#ordered = [];
    this.#writing = false;
    this.clock.go(this.#parts.timeline.nowMs);
    this.#parts.network.detach(this.id, notice);
    const { written, unsynced } = this.#parts.disk.crash();
    if (written.length > 0) this.#parts.events.durable(this.id, written);
    return unsynced;
  }

  /** With `clockToo` the whole machine is suspended: when it goes on it believes that no time has passed. */
  pause(clockToo = false): void {
    if (this.#runner === undefined) return;
    this.#inbox.pause();
    if (clockToo) this.clock.stop(this.#parts.timeline.nowMs);
  }

  /** What queued up happens now, in the order in which it came. */
  resume(): void {
    if (!this.#inbox.isPaused) return;
    this.clock.go(this.#parts.timeline.nowMs);
    for (const run of this.#inbox.resume()) this.#later(0, run);
  }

  request(request: string, operation: Operation): void {
    this.#later(0, () => this.#gather({ type: 'request', request, operation }));
  }

  /** Asks the process to end, as a signal would. */
  stop(): void {
    this.#later(0, () => this.feed({ type: 'stop' }));
  }

  /** As the live host: what comes from outside in one turn of its event loop is handled together. */
  #gather(event: Event, frame = 0): void {
    const { gatherMsMax, random } = this.#parts;
    if (gatherMsMax === 0) return this.feed(event, frame);
    this.#gathered.push({ event, frame });
    if (this.#gathered.length === 1) this.#later(random.between(0, gatherMsMax), () => this.#handleGathered());
  }

  feed(event: Event, frame = 0): void {
    this.#gathered.push({ event, frame });
    this.#handleGathered();
  }

  #handleGathered(): void {
    const { trace, timeline, events } = this.#parts;
    const node = this.#node;
    const gathered = this.#gathered;
    this.#gathered = [];
    if (node === undefined || gathered.length === 0) return;
    for (const { event, frame } of gathered) {
      trace.event(timeline.nowMs, this.id, event, frame);
      events.happened(this.id, event);
    }
    const all = gathered.map(({ event }) => event);
    const at = this.#instant();
    const effects = node.handleAll?.(all, at) ?? all.flatMap((event) => node.handle(event, at));
    for (const effect of effects) {
      if (effect.type === 'runTask') events.decided(this.id, effect);
      if (effect.type === 'wakeAt') this.#wakeAt(effect.atMs);
      else if (passesWrites(effect)) this.#run(effect);
      else this.#ordered.push(effect);
    }
    this.#pump();
  }

  #instant(): Instant {
    const { nowMs } = this.#parts.timeline;
    return { nowMs: this.clock.nowMs(nowMs), wallMs: this.clock.wallMs(nowMs) };
  }

  /** Runs what stands before the next write, then begins to write: the order of the live host. */
  #pump(): void {
    if (this.#writing || this.#ordered.length === 0) return;
    let at = 0;
    const ordered = this.#ordered;
    for (; at < ordered.length; at++) {
      const effect = ordered[at] as Effect;
      if (effect.type === 'persist') break;
      this.#run(effect);
      // An exit ends this life, and with it what was to come.
      if (this.#ordered !== ordered) return;
    }
    this.#ordered = at === ordered.length ? [] : ordered.slice(at);
    if (this.#ordered.length > 0) this.#write();
  }

  /** Syncs every batch that waits, as one, and then goes on with what stood behind them: group commit. */
  #write(): void {
    const { disk, events, trace, timeline } = this.#parts;
    const writes: Write[] = [];
    let through = 0;
    for (const [at, effect] of this.#ordered.entries()) {
      if (effect.type !== 'persist') continue;
      if (writes.length > 0 && writes.length + effect.writes.length > batchWritesMax) break;
      trace.effect(timeline.nowMs, this.id, effect);
      writes.push(...effect.writes);
      through = at + 1;
    }
    this.#writing = true;
    this.#later(disk.begin(writes), () => {
      const written = disk.sync();
      if (written === undefined) return this.#exit('diskFailed', exitCodes.diskFailed, `the disk: ${disk.trouble}`);
      events.durable(this.id, written);
      this.#afterSync(through);
    });
  }

  #afterSync(through: number): void {
    const life = this.#life;
    const due = this.#ordered.slice(0, through);
    this.#ordered = this.#ordered.slice(through);
    // What follows from a durable batch takes its place behind what already waits.
    for (const effect of due) {
      if (effect.type === 'persist') this.feed({ type: 'persisted', id: effect.id });
      else this.#run(effect);
      if (life !== this.#life) return;
    }
    this.#writing = false;
    this.#pump();
  }

  #run(effect: Effect): void {
    const { trace, timeline, events } = this.#parts;
    if (effect.type === 'send' || effect.type === 'publish') this.#send(effect);
    else {
      trace.effect(timeline.nowMs, this.id, effect);
      (this.#execute[effect.type] as (effect: Effect) => void)(effect);
    }
    events.did(this.id, effect);
  }

  #send(effect: EffectOf<'send'> | EffectOf<'publish'>): void {
    const { network, trace, timeline, events } = this.#parts;
    const { cluster, message } = effect;
    const bytes = encode(cluster, message);
    trace.effect(timeline.nowMs, this.id, effect, hashBytes(bytes));
    events.sent(this.id, cluster, message, effect.type === 'send' ? effect.to : undefined);
    if (effect.type === 'send') network.send(this.id, effect.to, bytes, message.type);
    else network.publish(this.id, effect.topic, bytes);
  }

  #effects(): Execute {
    const { id, network } = this.#parts;
    const nothing = (): void => {};
    return {
      persist: nothing,
      send: nothing,
      publish: nothing,
      wakeAt: nothing,
      reply: nothing,
      report: nothing,
      dial: ({ node }) => network.dial(id, node),
      dialAddress: ({ address }) => network.dialAddress(id, address),
      hangUp: ({ node }) => network.hangUp(id, node),
      progress: nothing,
      ...runnerEffects(() => this.#runner),
      exit: ({ code, reason }) => this.#exit('exit', code, reason),
    };
  }

  #exit(why: Parameters<HostEvents['exited']>[1], code: number, reason: string): void {
    this.end(true);
    this.#parts.events.exited(this.id, why, code, reason);
  }

  #wakeAt(atMs: number): void {
    const { timeline, random } = this.#parts;
    const wish = ++this.#wish;
    const lateMs = random.between(0, timerLateMsMax);
    // a timer never fires at once, so a node that always asks for now does not stop time
    const delayMs = Math.max(1, this.clock.untilMs(atMs, timeline.nowMs)) + lateMs;
    this.#later(delayMs, () => {
      if (wish === this.#wish) this.feed({ type: 'wake' });
    });
  }

  #sampleLoad(random: Random): void {
    const sample = {
      cpu: random.between(0, 0.5),
      memoryBytes: 100e6 + random.below(50e6),
      // Whoever takes long for each thing comes late to the next.
      loopDelayMs: random.between(0, 3) + this.serviceMs * eventsBehind,
    };
    this.feed({ type: 'load', sample });
    this.#later(loadIntervalMs, () => this.#sampleLoad(random));
  }

  #port(): Port {
    const post = (event: Event): void => this.#post(() => this.feed(event));
    return {
      responsive: () => this.state === 'running',
      connected: (node) => post({ type: 'connected', node }),
      disconnected: (node) => post({ type: 'disconnected', node }),
      dialFailed: (address) => post({ type: 'dialFailed', address }),
      frame: (from, bytes) =>
        this.#post(() => this.#gather({ type: 'message', from, ...decode(bytes) }, hashBytes(bytes))),
      gossip: (from, topic, bytes) =>
        this.#post(() => this.#gather({ type: 'gossip', from, topic, ...decode(bytes) }, hashBytes(bytes))),
    };
  }

  /** Plans something for this life; it waits while the process is paused. */
  #later(delayMs: number, run: () => void): void {
    const life = this.#life;
    this.#parts.timeline.after(delayMs, () => {
      if (life === this.#life) this.#post(run);
    });
  }

  #post(run: () => void): void {
    if (this.#runner !== undefined) this.#inbox.post(run);
  }
}
