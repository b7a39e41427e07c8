import { type Effect, type EffectOf, passesWrites, type Report, type Write } from '../core/effect.ts';
import { errors, toErrorBody } from '../core/errors.ts';
import type { Event } from '../core/event.ts';
import type { NodeId, Topic } from '../core/message.ts';
import type { Instant, Node } from '../core/node.ts';
import type { Operation, Outcome } from '../core/operation.ts';
import { decode, encode } from '../core/wire/codec.ts';
import type { Runner, RunnerEvents, Store, Transport, TransportEvents } from './ports.ts';

export interface LiveHostInit {
  transport: Transport;
  store: Store;
  /** Makes the runner, given where its events go. */
  createRunner(events: RunnerEvents): Runner;
  /** Makes the node, given the time of its start. */
  createNode(at: Instant): Node;
  onReport(report: Report): void;
  /** The node is done, or cannot go on; nothing more will happen. */
  onExit(code: number, reason: string): void;
  /** A write failed: what it promised is not on disk, and the process must end. */
  onStoreFailure(error: Error): void;
  log(level: 'info' | 'warn' | 'error', text: string, details?: Record<string, unknown>): void;
}

interface Asked {
  resolve(outcome: Outcome): void;
  /** Told what a task says before it is done: JSON, numbered from 1 on; a task that begins anew begins there. */
  progress: ((number: number, value: Uint8Array) => void) | undefined;
}

const batchWritesMax = 4_096;
const askedMax = 20_000;
/** Effects behind one write: more than all nodes together want within minutes. The disk hangs then, and nothing ends it. */
const orderedMax = 200_000;
/** After sysexits.h: an error of input or output. */
const exitCodeDiskHangs = 74;
const invalidLoggedMax = 100;

/**
 * Hosts one node in the real world: turns what happens into events, and runs the effects in their order. While a
 * batch is being synced everything behind it waits, and all batches that gathered meanwhile go to disk together.
 */
export class LiveHost {
  readonly #init: LiveHostInit;
  #node: Node | undefined;
  readonly #runner: Runner;
  #ordered: Effect[] = [];
  #writing = false;
  #pumping = false;
  #stopped = false;
  #handling = false;
  #inbox: Event[] = [];
  #gathering = false;
  #wakeTimer: NodeJS.Timeout | undefined;
  readonly #asked = new Map<string, Asked>();
  #requests = 0;
  #invalid = 0;

  constructor(init: LiveHostInit) {
    this.#init = init;
    this.#runner = init.createRunner({
      ahead: (agent, epoch, bytes) => this.#gather({ type: 'stateAhead', agent, epoch, bytes }),
      started: (agent, epoch, state) => this.dispatch({ type: 'agentStarted', agent, epoch, state }),
      ran: (agent, epoch, task, ok, value, state, outputs) =>
        this.#gather({ type: 'taskRan', agent, epoch, task, ok, value, state, outputs }),
      returned: (agent, epoch, tasks) => this.#gather({ type: 'tasksReturned', agent, epoch, tasks }),
      progress: (agent, epoch, task, value) => this.#gather({ type: 'taskProgress', agent, epoch, task, value }),
      prepared: (agent, migration, reason) => this.dispatch({ type: 'agentPrepared', agent, migration, reason }),
      failed: (agent, epoch, reason, innocent) =>
        this.dispatch({ type: 'agentFailed', agent, epoch, reason, innocent }),
    });
  }

  /** The node; undefined until `start` has found out under which addresses it can be reached. */
  get node(): Node | undefined {
    return this.#node;
  }

  async start(): Promise<void> {
    const events: TransportEvents = {
      connected: (node) => this.dispatch({ type: 'connected', node }),
      disconnected: (node) => this.dispatch({ type: 'disconnected', node }),
      dialFailed: (address) => this.dispatch({ type: 'dialFailed', address }),
      frame: (from, bytes) => this.#onFrame(from, bytes),
      gossip: (from, topic, bytes) => this.#onGossip(from, topic, bytes),
    };
    await this.#init.transport.start(events);
    this.#node = this.#init.createNode(now());
    this.dispatch({ type: 'wake' });
  }

  /** Hands the node an event. Events that arise while it handles some are handled right after, in order. */
  dispatch(event: Event): void {
    if (this.#stopped) return;
    this.#inbox.push(event);
    this.#handleInbox();
  }

  /**
   * Hands the node an event together with all that come in the same turn of the event loop: many requests, or results of
   * many agents, make one batch for the disk.
   */
  #gather(event: Event): void {
    if (this.#stopped) return;
    this.#inbox.push(event);
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      this.#handleInbox();
    });
  }

  #handleInbox(): void {
    const node = this.#node;
    if (this.#handling || node === undefined) return;
    this.#handling = true;
    try {
      while (this.#inbox.length > 0 && !this.#stopped) {
        const events = this.#inbox;
        this.#inbox = [];
        for (const effect of node.handleAll(events, now())) this.#take(effect);
        this.#pump();
      }
    } catch (error) {
      // A state machine that threw is in no state to trust: end, and let the disk's truth be read again.
      this.#init.log('error', 'the node failed', { error: String(error), stack: (error as Error).stack });
      this.#exit(70, `the node failed: ${String(error)}`);
    } finally {
      this.#handling = false;
    }
  }

  /** Puts an operation to the node; resolves with its outcome, never rejects. `progress`: see `Asked`. */
  ask(operation: Operation, progress?: Asked['progress']): Promise<Outcome> {
    if (this.#stopped || this.#asked.size >= askedMax) {
      const error = this.#stopped
        ? errors.nodeEnding({})
        : errors.backlogFull({ what: 'requests at this node', max: askedMax });
      return Promise.resolve({ ok: false, error: toErrorBody(error) });
    }
    this.#requests += 1;
    const request = `r${this.#requests}`;
    return new Promise((resolve) => {
      this.#asked.set(request, { resolve, progress });
      this.#gather({ type: 'request', request, operation });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#wakeTimer);
    for (const { resolve } of this.#asked.values()) {
      resolve({ ok: false, error: toErrorBody(errors.outcomeUnknown({ what: 'request' })) });
    }
    this.#asked.clear();
    await Promise.allSettled([this.#runner.stopAll(), this.#init.transport.stop()]);
    await this.#init.store.close().catch(() => {});
  }

  // ---- effects ----

  /** What promises nothing that a disk must back happens now; the rest takes its place in the order. */
  #take(effect: Effect): void {
    if (effect.type === 'wakeAt') this.#wakeAt(effect.atMs);
    else if (passesWrites(effect)) this.#run(effect);
    else if (this.#ordered.length < orderedMax) this.#ordered.push(effect);
    else
      this.#exit(
        exitCodeDiskHangs,
        `the disk has not ended a write while ${orderedMax} effects came to wait behind it`,
      );
  }

  /** An effect may be an event at once, whose effects join the end of the row: one pump at a time walks it. */
  #pump(): void {
    if (this.#writing || this.#pumping) return;
    this.#pumping = true;
    try {
      for (let next = this.#ordered[0]; next !== undefined && next.type !== 'persist'; next = this.#ordered[0]) {
        this.#ordered.shift();
        this.#run(next);
      }
    } finally {
      this.#pumping = false;
    }
    if (this.#ordered.length > 0 && !this.#stopped) this.#write();
  }

  /** Syncs every batch that waits, as one, and then goes on with what stood behind them. */
  #write(): void {
    const writes: Write[] = [];
    let through = 0;
    for (const [at, effect] of this.#ordered.entries()) {
      if (effect.type !== 'persist') continue;
      if (writes.length > 0 && writes.length + effect.writes.length > batchWritesMax) break;
      writes.push(...effect.writes);
      through = at + 1;
    }
    this.#writing = true;
    const durable = () => {
      const due = this.#ordered.slice(0, through);
      this.#ordered = this.#ordered.slice(through);
      // What follows from a durable batch takes its place behind what already waits.
      for (const effect of due) if (effect.type !== 'persist') this.#run(effect);
      const last = due.findLast((effect) => effect.type === 'persist');
      if (last !== undefined) this.dispatch({ type: 'persisted', id: last.id });
      this.#writing = false;
      this.#pump();
    };
    if (writes.length === 0) {
      queueMicrotask(durable);
      return;
    }
    this.#init.store.write(writes).then(durable, (error: Error) => {
      this.#stopped = true;
      this.#init.onStoreFailure(error);
    });
  }

  #run(effect: Effect): void {
    const { transport } = this.#init;
    switch (effect.type) {
      case 'send':
        return this.#encoded(effect, (bytes) => transport.send(effect.to, bytes));
      case 'publish':
        return this.#encoded(effect, (bytes) => transport.publish(effect.topic, bytes));
      case 'dial':
        return transport.dial(effect.node, effect.addresses);
      case 'dialAddress':
        return transport.dialAddress(effect.address);
      case 'hangUp':
        return transport.hangUp(effect.node);
      case 'startAgent':
        return this.#runner.start(effect);
      case 'stopAgent':
        return this.#runner.stop(effect.agent, effect.epoch);
      case 'renewAgent':
        return this.#runner.renew(effect.agent, effect.from, effect.epoch);
      case 'prepareAgent':
        return this.#runner.prepare(effect);
      case 'releaseAgent':
        return this.#runner.release(effect.agent, effect.migration);
      case 'runTask':
        return this.#runner.run(effect.agent, effect.epoch, effect.task, effect.payload, effect);
      case 'recallTasks':
        return this.#runner.recall(effect.agent, effect.epoch);
      case 'cancelTask':
        return this.#runner.cancel(effect.agent, effect.epoch, effect.task);
      case 'progress':
        return this.#asked.get(effect.request)?.progress?.(effect.number, effect.value);
      case 'reply': {
        const asked = this.#asked.get(effect.request);
        this.#asked.delete(effect.request);
        return asked?.resolve(effect.outcome);
      }
      case 'report':
        return this.#init.onReport(effect.report);
      case 'exit':
        return this.#exit(effect.code, effect.reason);
      case 'persist':
      case 'wakeAt':
        return;
    }
  }

  #encoded({ message, cluster }: EffectOf<'send' | 'publish'>, use: (bytes: Uint8Array) => void): void {
    let bytes: Uint8Array;
    try {
      bytes = encode(cluster, message);
    } catch (error) {
      this.#init.log('error', 'a message was not sent', { type: message.type, error: String(error) });
      return;
    }
    use(bytes);
  }

  #wakeAt(atMs: number): void {
    clearTimeout(this.#wakeTimer);
    if (this.#stopped || atMs === Number.POSITIVE_INFINITY) return;
    this.#wakeTimer = setTimeout(
      () => this.dispatch({ type: 'wake' }),
      Math.max(0, Math.ceil(atMs - performance.now())),
    );
  }

  #exit(code: number, reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#wakeTimer);
    this.#init.onExit(code, reason);
  }

  // ---- from the network ----

  #onFrame(from: NodeId, bytes: Uint8Array): void {
    const decoded = this.#decoded(from, bytes);
    if (decoded !== undefined) this.#gather({ type: 'message', from, ...decoded });
  }

  #onGossip(from: NodeId, topic: Topic, bytes: Uint8Array): void {
    const decoded = this.#decoded(from, bytes);
    if (decoded !== undefined) this.#gather({ type: 'gossip', from, topic, ...decoded });
  }

  #decoded(from: NodeId, bytes: Uint8Array): ReturnType<typeof decode> | undefined {
    try {
      return decode(bytes);
    } catch (error) {
      this.#invalid += 1;
      if (this.#invalid <= invalidLoggedMax) {
        this.#init.log('warn', 'a message was dropped', { from, reason: String(error), dropped: this.#invalid });
      }
      return undefined;
    }
  }
}

/** The one place where the live node's clocks are read. */
function now(): Instant {
  return { nowMs: performance.now(), wallMs: Date.now() };
}
