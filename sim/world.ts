import type { EffectOf } from '../node/core/effect.ts';
import type { NodeId, Profile } from '../node/core/message.ts';
import { Node } from '../node/core/node.ts';
import type { Operation, Outcome } from '../node/core/operation.ts';
import { addressIndexOf, addressOf, profileOf } from './addresses.ts';
import { defaultRunner, type RunnerSettings } from './agents.ts';
import { type Observer, Violation, type WorldAct } from './checkers/checker.ts';
import { Disk, type DiskSettings, type DiskTrouble, defaultDisk } from './disk.ts';
import { WorldFailure } from './failure.ts';
import { guarded } from './guard.ts';
import { Host, type HostEvents, type NodeFactory } from './host.ts';
import { defaultNetwork, Network, type NetworkSettings } from './network.ts';
import { Observers } from './observers.ts';
import type { Program } from './program.ts';
import { Random } from './random.ts';
import { between, type Cut } from './reach.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';

type Report = EffectOf<'report'>['report'];

export interface WorldOptions {
  /** Draws everything. */
  seed: string;
  /** Nodes at the beginning. */
  nodes: number;
  /** Founding members that each waits for; all of the first ones when omitted. */
  expect?: number;
  /** Nodes are started within this long of each other, ms. */
  startSpreadMs?: number;
  /** Wall clocks are off by up to this much, ms. */
  clockOffsetMsMax?: number;
  /** Monotonic clocks are fast or slow by up to this share. */
  clockDriftMax?: number;
  /** Parts of a profile that are not the default. */
  profile?: (index: number) => Partial<Profile>;
  /** What agents run, by type. */
  programs?: Readonly<Record<string, Program>>;
  checkers?: readonly Observer[];
  network?: Partial<NetworkSettings>;
  disk?: Partial<DiskSettings>;
  runner?: Partial<RunnerSettings>;
  /** What comes to a node within this long is handed to it together, ms; 0 when omitted. */
  gatherMsMax?: number;
  /** Another state machine in the place of the production node: a scripted one in tests, consensus alone. */
  createNode?: NodeFactory;
}

/** What became of a request; `lost` when the node that was asked died first: whether it took effect is unknown. */
export interface Asked {
  readonly id: string;
  readonly node: NodeId;
  readonly operation: Operation;
  readonly askedMs: number;
  state: 'waiting' | 'answered' | 'lost';
  answeredMs: number;
  outcome: Outcome | undefined;
  /** Called once, when it is no longer waiting. */
  done: ((asked: Asked) => void) | undefined;
}

export interface Exit {
  node: NodeId;
  why: Parameters<HostEvents['exited']>[1];
  code: number;
  reason: string;
}

const reportsMax = 5_000;
const stepsMax = 200_000_000;
const shown = { lines: 30, nodes: 6 };

/**
 * A world of simulated machines that run the production `Node`: one seed draws every delay, loss and fault, so a run
 * can be had again. Time is virtual and starts at 0 ms.
 */
export class World {
  readonly random: Random;
  readonly timeline = new Timeline();
  readonly trace = new Trace();
  readonly network: Network;
  /** What each node said happened, oldest first, across its restarts; bounded. */
  readonly reports = new Map<NodeId, Report[]>();
  readonly exits: Exit[] = [];
  /** Machines whose disk is lost for good: another one stands at their address. */
  readonly gone = new Set<NodeId>();
  /** Machines whose planned first start is called off. */
  readonly #calledOff = new Set<NodeId>();
  readonly #options: WorldOptions;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #waiting = new Map<string, Asked>();
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #observers: Observers;
  readonly #hostEvents: HostEvents;
  #asked = 0;
  #steps = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.network = new Network(this.timeline, this.random.fork('network'), { ...defaultNetwork, ...options.network });
    this.#programs = new Map(Object.entries(options.programs ?? {}));
    this.#observers = new Observers(options.checkers ?? []);
    this.#hostEvents = this.#listen();
    const starts = this.random.fork('starts');
    for (let i = 0; i < options.nodes; i++) this.addNode(starts.between(0, options.startSpreadMs ?? 0));
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  /** All machines that can be started, running or not. */
  get nodes(): NodeId[] {
    return [...this.#hosts.keys()].filter((node) => !this.gone.has(node));
  }

  /** Nodes whose process exists and is not paused. */
  get running(): NodeId[] {
    return this.nodes.filter((node) => this.host(node).state === 'running');
  }

  host(node: NodeId): Host {
    const host = this.#hosts.get(node);
    if (host === undefined) throw new RangeError(`there is no node ${node}; there are ${this.nodes.join(', ')}`);
    return host;
  }

  /** A machine's own monotonic clock, ms. */
  clockMs(node: NodeId): number {
    return this.host(node).clock.nowMs(this.nowMs);
  }

  watch(observer: Observer): void {
    this.#observers.add(observer);
  }

  /** Says that something in the world changed, for the trace and for whoever watches. */
  act(kind: WorldAct['kind'], node: NodeId | 'world', text: string): void {
    this.trace.fault(this.nowMs, node, text);
    for (const acted of this.#observers.of('acted')) acted({ kind, node, text });
  }

  // ---- time ----

  /** Lets the next thing happen; false when nothing is planned. */
  step(): boolean {
    this.#steps += 1;
    if (this.#steps > stepsMax) throw this.failure(`more than ${stepsMax} steps: something goes round and round`);
    try {
      return guarded(() => this.timeline.step());
    } catch (error) {
      throw this.failure(error instanceof Error ? (error.stack ?? error.message) : String(error), error);
    }
  }

  /** Lets everything happen up to a moment of virtual time. */
  run(untilMs: number): void {
    guarded(() => {
      while (this.timeline.nextMs() <= untilMs) this.step();
    });
    this.timeline.idleUntil(untilMs);
  }

  runFor(forMs: number): void {
    this.run(this.nowMs + forMs);
  }

  /** Goes on until a condition holds, and returns how long it took, ms; throws with the trace when it takes longer. */
  runUntil(condition: () => boolean, withinMs: number, what = 'the condition', checker = 'eventually'): number {
    const startMs = this.nowMs;
    guarded(() => {
      while (!condition()) {
        if (this.timeline.nextMs() > startMs + withinMs || !this.step()) {
          const reason = `${what} did not hold within ${withinMs} ms from ${startMs.toFixed(0)} ms on`;
          throw this.failure(reason, new Violation(checker, reason));
        }
      }
    });
    return this.nowMs - startMs;
  }

  /** An error that says how to see it again and what the nodes did last. */
  failure(what: string, cause?: unknown): Error {
    if (cause instanceof WorldFailure) return cause;
    const tail = (who: NodeId): string => this.trace.last(who, shown.lines).join('\n');
    const lines = [`--- world\n${tail('world')}`];
    for (const node of this.nodes.slice(0, shown.nodes))
      lines.push(`--- ${node} (${this.host(node).state})\n${tail(node)}`);
    const text = `seed ${this.random.seed} at ${this.nowMs.toFixed(3)} ms: ${what}\n${lines.join('\n')}`;
    return new WorldFailure(text, this.nowMs, cause);
  }

  // ---- machines ----

  /** One more machine; it starts after `delayMs`. `address`: where it listens, counted from 0; a new place by default. */
  addNode(delayMs = 0, address = this.#hosts.size): NodeId {
    const { expect, nodes, profile, createNode, disk, runner } = this.#options;
    const id = `n${this.#hosts.size + 1}`;
    const random = this.random.fork(`node ${id}`);
    const clock = random.fork('clock');
    const host = new Host({
      id,
      profile: { ...profileOf(id, address), ...profile?.(address) },
      join: [0, 1, 2].filter((i) => i < nodes).map(addressOf),
      expect: expect ?? nodes,
      timeline: this.timeline,
      network: this.network,
      trace: this.trace,
      disk: new Disk(random.fork('disk'), { ...defaultDisk, ...disk }),
      random,
      programs: this.#programs,
      runner: { ...defaultRunner, ...runner },
      createNode: createNode ?? ((init) => new Node(init)),
      events: this.#hostEvents,
      gatherMsMax: this.#options.gatherMsMax ?? 0,
      clockOffsetMs: clock.between(-1, 1) * (this.#options.clockOffsetMsMax ?? 0),
      clockRate: 1 + clock.between(-1, 1) * (this.#options.clockDriftMax ?? 0),
    });
    this.#hosts.set(id, host);
    this.reports.set(id, []);
    this.timeline.after(delayMs, () => {
      if (host.state === 'off' && !this.gone.has(id) && !this.#calledOff.has(id)) this.#start(host, true);
    });
    return id;
  }

  /** The process dies; its kernel closes the connections. `silent`: the machine loses power and nobody is told. */
  crash(node: NodeId, how: 'noticed' | 'silent' = 'noticed'): void {
    if (this.host(node).state === 'off') return;
    const unsynced = this.host(node).end(how === 'noticed');
    const batch = unsynced === 'none' ? '' : `, the batch on its way to the disk was ${unsynced}`;
    this.act('fault', node, `${how === 'noticed' ? 'crash' : 'loss of power'}${batch}`);
    this.#lose(node);
  }

  /** A machine that has not been started yet stays off until it is restarted. */
  callOff(node: NodeId): void {
    this.#calledOff.add(node);
  }

  /** Starts a machine that is off, on the disk that it has. */
  restart(node: NodeId): void {
    this.#calledOff.add(node);
    this.act('mend', node, 'start');
    this.#start(this.host(node), false);
  }

  /** The machine is lost with its disk. Another one, which nobody knows, starts at its address; returns its id. */
  replace(node: NodeId, delayMs = 0): NodeId {
    this.crash(node);
    this.gone.add(node);
    const heir = this.addNode(delayMs, addressIndexOf(this.host(node).profile));
    this.act('fault', node, `its disk is lost for good; ${heir} takes its place`);
    return heir;
  }

  /** The process stands still: nothing reaches it, and it does nothing, while time goes on for the others. */
  pause(node: NodeId, clockToo = false): void {
    this.host(node).pause(clockToo);
    this.act('fault', node, clockToo ? 'suspended, its clock stands still' : 'pause');
  }

  resume(node: NodeId): void {
    if (this.host(node).state !== 'paused') return;
    this.host(node).resume();
    this.act('mend', node, 'goes on');
  }

  /** Asks a process to end in good order. */
  stop(node: NodeId): void {
    this.act('fault', node, 'asked to stop');
    this.host(node).stop();
  }

  setDiskTrouble(node: NodeId, trouble: DiskTrouble | undefined): void {
    const { disk } = this.host(node);
    if (disk.trouble === trouble) return;
    const text = { error: 'every write to its disk fails', full: 'its disk is full' };
    this.act(trouble ? 'fault' : 'mend', node, trouble ? text[trouble] : 'its disk works again');
    disk.trouble = trouble;
  }

  // ---- network ----

  /** Cuts silently between groups. `frames`: whether those sent meanwhile are lost, or arrive after a heal as TCP would have it. */
  partition(groups: readonly (readonly NodeId[])[], frames: 'lost' | 'held' = 'lost'): Cut {
    for (const node of groups.flat()) this.host(node);
    const cut = this.network.cut(between(groups, this.nodes), frames === 'held');
    this.act('fault', 'world', `partition ${groups.map((group) => group.join(' ')).join(' | ')}, frames ${frames}`);
    return cut;
  }

  /** Cuts one direction silently. */
  cut(from: NodeId, to: NodeId): Cut {
    const cut = this.network.cut([[from, to]]);
    this.act('fault', 'world', `cut from ${from} to ${to}`);
    return cut;
  }

  mend(cut: Cut): void {
    this.network.mend(cut);
    this.act('mend', 'world', `mended: ${[...new Set(cut.map(([from]) => from))].join(', ')} reach the others again`);
  }

  heal(): void {
    this.network.heal();
    this.act('mend', 'world', 'all cuts heal');
  }

  // ---- users ----

  /** Puts an operation to a node, as its HTTP door would; the outcome is filled in as time goes on. */
  request(node: NodeId, operation: Operation, done?: (asked: Asked) => void): Asked {
    const id = `q${++this.#asked}`;
    const waiting = { state: 'waiting' as const, answeredMs: 0, outcome: undefined };
    const asked: Asked = { id, node, operation, askedMs: this.nowMs, ...waiting, done };
    const host = this.host(node);
    for (const callback of this.#observers.of('asked')) callback(node, id, operation);
    if (host.state === 'off') this.#end(asked, 'lost');
    else {
      this.#waiting.set(id, asked);
      host.request(id, operation);
    }
    return asked;
  }

  /** Agent instances that exist on machines that are on. */
  instances(): { node: NodeId; agent: string; epoch: number; task: string | undefined }[] {
    const on = (node: NodeId) => this.host(node).runner?.instances() ?? [];
    return this.nodes.flatMap((node) => on(node).map((instance) => ({ node, ...instance })));
  }

  #start(host: Host, fresh: boolean): void {
    host.start();
    for (const started of this.#observers.of('started')) started(host.id, fresh);
  }

  #lose(node: NodeId): void {
    for (const ended of this.#observers.of('ended')) ended(node);
    for (const [id, asked] of this.#waiting) {
      if (asked.node !== node) continue;
      this.#waiting.delete(id);
      this.#end(asked, 'lost');
    }
  }

  #end(asked: Asked, state: 'answered' | 'lost'): void {
    asked.state = state;
    asked.answeredMs = this.nowMs;
    const { done } = asked;
    if (done !== undefined) this.timeline.after(0, () => done(asked));
  }

  #reply(node: NodeId, { request, outcome }: EffectOf<'reply'>): void {
    const asked = this.#waiting.get(request);
    if (asked?.node !== node)
      throw new Violation('anytime-one-answer', `${node} answered ${request}, which waits for none`);
    this.#waiting.delete(request);
    asked.outcome = outcome;
    for (const answered of this.#observers.of('answered')) answered(node, request, asked.operation, outcome);
    this.#end(asked, 'answered');
  }

  #report(node: NodeId, report: Report): void {
    const reports = this.reports.get(node);
    reports?.push(report);
    if (reports !== undefined && reports.length > reportsMax) reports.splice(0, reportsMax / 2);
    for (const reported of this.#observers.of('reported')) reported(node, report);
  }

  #listen(): HostEvents {
    const observers = this.#observers;
    return {
      happened: (node, event) => {
        for (const happened of observers.of('happened')) happened(node, event);
      },
      decided: (node, effect) => observers.of('decided').forEach((decided) => decided(node, effect)),
      began: (node, agent, task) => observers.of('began').forEach((began) => began(node, agent, task)),
      did: (node, effect) => {
        for (const did of observers.of('did')) did(node, effect);
        if (effect.type === 'reply') this.#reply(node, effect);
        if (effect.type === 'report') this.#report(node, effect.report);
      },
      sent: (node, cluster, message, to) => {
        for (const sent of observers.of('sent')) sent(node, cluster, message, to);
      },
      durable: (node, writes) => {
        const read = (key: string): Uint8Array | undefined => this.host(node).disk.read(key);
        for (const durable of observers.of('durable')) durable(node, writes, read);
      },
      exited: (node, why, code, reason) => {
        this.exits.push({ node, why, code, reason });
        this.act('fault', node, `ended with code ${code}: ${reason}`);
        this.#lose(node);
      },
    };
  }
}
