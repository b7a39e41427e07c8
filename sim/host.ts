import type { Effect, EffectOf, Write } from '../node/core/effect.ts';
import type { Event } from '../node/core/event.ts';
import type { Message, NodeId, Profile } from '../node/core/message.ts';
import type { Instant, NodeInit } from '../node/core/node.ts';
import type { Operation, Outcome } from '../node/core/operation.ts';
import { decode, encode } from '../node/core/wire/codec.ts';
import { type Behaviour, type RunnerSettings, SimRunner } from './agents.ts';
import type { Disk } from './disk.ts';
import type { Network, Port } from './network.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

/** The node as a host needs it: the production `Node`, or a scripted one in tests of the world itself. */
export interface SimNode {
  /** Cluster it belongs to, for the envelope; empty or absent when none yet. */
  handle(event: Event, at: Instant): Effect[];
}

export type NodeFactory = (init: NodeInit) => SimNode;

/** What a host tells the world. */
export interface HostEvents {
  sent(node: NodeId, cluster: string, message: Message): void;
  durable(node: NodeId, writes: readonly Write[]): void;
  reported(node: NodeId, report: EffectOf<'report'>['report']): void;
  replied(node: NodeId, request: string, outcome: Outcome): void;
  exited(node: NodeId, code: number, reason: string): void;
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
  behaviours: ReadonlyMap<string, Behaviour>;
  runner: RunnerSettings;
  createNode: NodeFactory;
  events: HostEvents;
  /** How far this machine's wall clock is off, ms. */
  clockOffsetMs: number;
}

type Execute = { [K in Effect['type']]: (effect: EffectOf<K>) => void };

/** Wall clock of the worlds' beginning: any moment does. */
const epochMs = Date.UTC(2026, 0, 1);
/** Things that may wait for a paused process. */
const inboxMax = 200_000;
const loadIntervalMs = 1_000;
/** Timers of a real process are late by up to this much. */
const timerLateMsMax = 1.5;

/** A machine of the world: it runs one life of a node after another on the same disk, effects in their strict order. */
export class Host {
  readonly id: NodeId;
  readonly profile: Profile;
  readonly #parts: HostParts;
  readonly #execute: Execute;
  #node: SimNode | undefined;
  #runner: SimRunner | undefined;
  /** Counts starts: what an earlier life planned does not happen in a later one. */
  #life = 0;
  #paused = false;
  #inbox: (() => void)[] = [];
  #queue: Effect[] = [];
  #syncing = false;
  #wish = 0;
  #originMs = 0;

  constructor(parts: HostParts) {
    this.id = parts.id;
    this.profile = parts.profile;
    this.#parts = parts;
    this.#execute = this.#effects();
  }

  get state(): 'off' | 'running' | 'paused' {
    if (this.#runner === undefined) return 'off';
    return this.#paused ? 'paused' : 'running';
  }

  get disk(): Disk {
    return this.#parts.disk;
  }

  /** Agent instances of the present life. */
  instances(): { agent: string; epoch: number }[] {
    return this.#runner?.instances() ?? [];
  }

  failAgent(agent: string, epoch: number, reason: string): void {
    this.#runner?.fail(agent, epoch, reason);
  }

  /** Starts a life: reads the disk, listens, and wakes the node for the first time. */
  start(): void {
    if (this.#runner !== undefined) throw new Error(`${this.id} runs already`);
    const { id, profile, join, expect, network, disk, random, behaviours, runner, createNode } = this.#parts;
    this.#life += 1;
    const lifeRandom = random.fork(`life ${this.#life}`);
    this.#originMs = lifeRandom.fork('origin').between(0, 1_000_000) - this.#parts.timeline.nowMs;
    const drawn = lifeRandom.fork('node');
    const process = { later: this.#later.bind(this), feed: this.feed.bind(this) };
    this.#runner = new SimRunner(process, lifeRandom.fork('runner'), behaviours, runner);
    network.attach(id, profile.addresses, this.#port());
    this.#later(0, () => {
      const at = this.#instant();
      this.#node = createNode({ id, profile, records: disk.load(), join, expect, random: () => drawn.next(), at });
      this.feed({ type: 'wake' });
      this.#sampleLoad(lifeRandom.fork('load'));
    });
  }

  /** Ends this life at once. With `notice` the connections close, else the machine just goes silent. */
  end(notice: boolean): void {
    if (this.#runner === undefined) return;
    this.#life += 1;
    this.#node = undefined;
    this.#runner = undefined;
    this.#paused = false;
    this.#inbox = [];
    this.#queue = [];
    this.#syncing = false;
    this.#parts.network.detach(this.id, notice);
    const written = this.#parts.disk.crash();
    if (written.length > 0) this.#parts.events.durable(this.id, written);
  }

  pause(): void {
    if (this.#runner !== undefined) this.#paused = true;
  }

  /** What queued up happens now, in the order in which it came; time has jumped. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const run of inbox) this.#later(0, run);
  }

  request(request: string, operation: Operation): void {
    this.#later(0, () => this.feed({ type: 'request', request, operation }));
  }

  /** Asks the process to end, as a signal would. */
  stop(): void {
    this.#later(0, () => this.feed({ type: 'stop' }));
  }

  feed(event: Event): void {
    const { trace, timeline } = this.#parts;
    const node = this.#node;
    if (node === undefined) return;
    trace.event(timeline.nowMs, this.id, event);
    const { nowMs } = timeline;
    for (const effect of node.handle(event, this.#instant())) {
      trace.effect(nowMs, this.id, effect);
      const waits = this.#syncing || this.#queue.length > 0;
      if (effect.type === 'wakeAt' || (waits && effect.type === 'send' && effect.urgent)) this.#run(effect);
      else this.#queue.push(effect);
    }
    this.#drain();
  }

  /** The clocks of this machine: a monotonic one of arbitrary origin, and a wall clock that may be off. */
  #instant(): Instant {
    const { nowMs } = this.#parts.timeline;
    return { nowMs: nowMs + this.#originMs, wallMs: Math.round(epochMs + nowMs + this.#parts.clockOffsetMs) };
  }

  #drain(): void {
    while (!this.#syncing) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#run(next);
    }
  }

  #run(effect: Effect): void {
    (this.#execute[effect.type] as (effect: Effect) => void)(effect);
  }

  #effects(): Execute {
    const { network, disk, events } = this.#parts;
    const { id } = this;
    return {
      persist: ({ id: batch, writes }) => {
        this.#syncing = true;
        this.#later(disk.begin(writes), () => {
          events.durable(id, disk.sync());
          // the effects of this event queue behind those that waited, so `syncing` ends before they run
          this.feed({ type: 'persisted', id: batch });
          this.#syncing = false;
          this.#drain();
        });
      },
      send: ({ to, message, cluster }) => {
        const bytes = encode(cluster, message);
        events.sent(id, cluster, message);
        network.send(id, to, bytes);
      },
      publish: ({ topic, message, cluster }) => {
        const bytes = encode(cluster, message);
        events.sent(id, cluster, message);
        network.publish(id, topic, bytes);
      },
      dial: ({ node }) => network.dial(id, node),
      dialAddress: ({ address }) => network.dialAddress(id, address),
      hangUp: ({ node }) => network.hangUp(id, node),
      startAgent: (effect) => this.#runner?.start(effect),
      stopAgent: ({ agent, epoch }) => this.#runner?.stop(agent, epoch),
      runTask: (effect) => this.#runner?.run(effect),
      reply: ({ request, outcome }) => events.replied(id, request, outcome),
      report: ({ report }) => events.reported(id, report),
      wakeAt: ({ atMs }) => this.#wakeAt(atMs),
      exit: ({ code, reason }) => {
        this.end(true);
        events.exited(id, code, reason);
      },
    };
  }

  #wakeAt(atMs: number): void {
    const { timeline, random } = this.#parts;
    const wish = ++this.#wish;
    const lateMs = random.between(0, timerLateMsMax);
    // a timer never fires at once, so a node that always asks for now does not stop time
    const delayMs = Math.max(1, atMs - this.#originMs - timeline.nowMs) + lateMs;
    this.#later(delayMs, () => {
      if (wish === this.#wish) this.feed({ type: 'wake' });
    });
  }

  #sampleLoad(random: Random): void {
    const sample = {
      cpu: random.between(0, 0.5),
      memoryBytes: 100e6 + random.below(50e6),
      loopDelayMs: random.between(0, 3),
    };
    this.feed({ type: 'load', sample });
    this.#later(loadIntervalMs, () => this.#sampleLoad(random));
  }

  #port(): Port {
    const post = (event: () => Event): void => this.#post(() => this.feed(event()));
    return {
      responsive: () => this.state === 'running',
      connected: (node) => post(() => ({ type: 'connected', node })),
      disconnected: (node) => post(() => ({ type: 'disconnected', node })),
      dialFailed: (address) => post(() => ({ type: 'dialFailed', address })),
      frame: (from, bytes) => post(() => ({ type: 'message', from, ...decode(bytes) })),
      gossip: (from, topic, bytes) => post(() => ({ type: 'gossip', from, topic, ...decode(bytes) })),
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
    if (this.#runner === undefined) return;
    if (!this.#paused) return run();
    if (this.#inbox.length >= inboxMax) throw new RangeError(`more than ${inboxMax} things wait for paused ${this.id}`);
    this.#inbox.push(run);
  }
}
