import type { EffectOf } from '../node/core/effect.ts';
import type { NodeId, Profile } from '../node/core/message.ts';
import { Node } from '../node/core/node.ts';
import type { Operation, Outcome } from '../node/core/operation.ts';
import { type Behaviour, defaultRunner, type RunnerSettings } from './agents.ts';
import { type Checker, Violation } from './checkers/checker.ts';
import { Disk, type DiskSettings, defaultDisk } from './disk.ts';
import { guarded } from './guard.ts';
import { Host, type HostEvents, type NodeFactory } from './host.ts';
import { defaultNetwork, Network, type NetworkSettings } from './network.ts';
import { Random } from './random.ts';
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
  /** Parts of a profile that are not the default. */
  profile?: (index: number) => Partial<Profile>;
  behaviours?: Readonly<Record<string, Behaviour>>;
  checkers?: readonly Checker[];
  network?: Partial<NetworkSettings>;
  disk?: Partial<DiskSettings>;
  runner?: Partial<RunnerSettings>;
  /** Tests of the world itself put a scripted node in the place of the real one. */
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

const reportsMax = 20_000;
const stepsMax = 20_000_000;
const linesShown = 30;

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
  readonly exits: { node: NodeId; code: number; reason: string }[] = [];
  readonly #options: WorldOptions;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #waiting = new Map<string, Asked>();
  readonly #behaviours: ReadonlyMap<string, Behaviour>;
  readonly #checkers: Checker[];
  #asked = 0;
  #steps = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.network = new Network(this.timeline, this.random.fork('network'), { ...defaultNetwork, ...options.network });
    this.#behaviours = new Map(Object.entries(options.behaviours ?? {}));
    this.#checkers = [...(options.checkers ?? [])];
    const starts = this.random.fork('starts');
    for (let i = 0; i < options.nodes; i++) this.addNode(starts.between(0, options.startSpreadMs ?? 0));
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  get nodes(): NodeId[] {
    return [...this.#hosts.keys()];
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

  watch(checker: Checker): void {
    this.#checkers.push(checker);
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
  runUntil(condition: () => boolean, withinMs: number, what = 'the condition'): number {
    const startMs = this.nowMs;
    guarded(() => {
      while (!condition()) {
        if (this.timeline.nextMs() > startMs + withinMs || !this.step()) {
          throw this.failure(`${what} did not hold within ${withinMs} ms from ${startMs.toFixed(0)} ms on`);
        }
      }
    });
    return this.nowMs - startMs;
  }

  /** An error that says how to see it again and what the nodes did last. */
  failure(what: string, cause?: unknown): Error {
    if (cause instanceof WorldFailure) return cause;
    const tail = (who: NodeId): string => this.trace.last(who, linesShown).join('\n');
    const lines = [`--- world\n${tail('world')}`];
    for (const node of this.nodes) lines.push(`--- ${node} (${this.host(node).state})\n${tail(node)}`);
    return new WorldFailure(`seed ${this.random.seed} at ${this.nowMs.toFixed(3)} ms: ${what}\n${lines.join('\n')}`, {
      cause,
    });
  }

  // ---- machines ----

  /** One more machine; it starts after `delayMs`. */
  addNode(delayMs = 0): NodeId {
    const { expect, nodes, profile, clockOffsetMsMax, createNode, disk, runner } = this.#options;
    const index = this.#hosts.size;
    const id = `n${index + 1}`;
    const random = this.random.fork(`node ${id}`);
    const host = new Host({
      id,
      profile: { ...profileOf(id, index), ...profile?.(index) },
      join: [0, 1, 2].filter((i) => i < nodes).map(addressOf),
      expect: expect ?? nodes,
      timeline: this.timeline,
      network: this.network,
      trace: this.trace,
      disk: new Disk(random.fork('disk'), { ...defaultDisk, ...disk }),
      random,
      behaviours: this.#behaviours,
      runner: { ...defaultRunner, ...runner },
      createNode: createNode ?? ((init) => new Node(init)),
      events: this.#hostEvents(),
      clockOffsetMs: random.fork('clock').between(-1, 1) * (clockOffsetMsMax ?? 0),
    });
    this.#hosts.set(id, host);
    this.reports.set(id, []);
    this.timeline.after(delayMs, () => this.#start(host, false));
    return id;
  }

  /** The process dies; its kernel closes the connections. `silent`: the machine loses power and nobody is told. */
  crash(node: NodeId, how: 'noticed' | 'silent' = 'noticed'): void {
    this.trace.fault(this.nowMs, node, `crash, ${how}`);
    this.host(node).end(how === 'noticed');
    this.#lose(node);
  }

  /** Starts a machine that is off, on the disk that it has. */
  restart(node: NodeId): void {
    this.trace.fault(this.nowMs, node, 'restart');
    this.#start(this.host(node), false);
  }

  /** Crashes a machine when it runs, empties its disk and starts it. */
  wipe(node: NodeId): void {
    if (this.host(node).state !== 'off') this.crash(node);
    this.trace.fault(this.nowMs, node, 'wipe');
    this.host(node).disk.wipe();
    this.#start(this.host(node), true);
  }

  /** The process stands still: nothing reaches it, and it does nothing, while time goes on for the others. */
  pause(node: NodeId): void {
    this.trace.fault(this.nowMs, node, 'pause');
    this.host(node).pause();
  }

  resume(node: NodeId): void {
    this.trace.fault(this.nowMs, node, 'resume');
    this.host(node).resume();
  }

  /** Asks a process to end in good order. */
  stop(node: NodeId): void {
    this.trace.fault(this.nowMs, node, 'stop');
    this.host(node).stop();
  }

  // ---- network ----

  /** Cuts silently between groups. `frames`: whether those sent meanwhile are lost, or arrive after a heal as TCP would have it. */
  partition(groups: readonly (readonly NodeId[])[], frames: 'lost' | 'held' = 'lost'): void {
    this.trace.fault(
      this.nowMs,
      'world',
      `partition ${groups.map((group) => group.join(' ')).join(' | ')}, frames ${frames}`,
    );
    this.network.partition(groups, this.nodes, frames === 'held');
  }

  /** Cuts one direction silently. */
  cut(from: NodeId, to: NodeId): void {
    this.trace.fault(this.nowMs, 'world', `cut from ${from} to ${to}`);
    this.network.cut(from, to);
  }

  heal(): void {
    this.trace.fault(this.nowMs, 'world', 'heal');
    this.network.heal();
  }

  /** The connection between two nodes closes, and both hear of it. */
  disconnectNotice(one: NodeId, other: NodeId): void {
    this.trace.fault(this.nowMs, 'world', `reset between ${one} and ${other}`);
    this.network.reset(one, other);
  }

  // ---- users ----

  /** Puts an operation to a node, as its HTTP door would; the outcome is filled in as time goes on. */
  request(node: NodeId, operation: Operation, done?: (asked: Asked) => void): Asked {
    const id = `q${++this.#asked}`;
    const asked: Asked = {
      id,
      node,
      operation,
      askedMs: this.nowMs,
      state: 'waiting',
      answeredMs: 0,
      outcome: undefined,
      done,
    };
    const host = this.host(node);
    if (host.state === 'off') this.#end(asked, 'lost');
    else {
      this.#waiting.set(id, asked);
      host.request(id, operation);
    }
    return asked;
  }

  /** Agent instances that exist on running machines. */
  instances(): { node: NodeId; agent: string; epoch: number }[] {
    return this.nodes.flatMap((node) =>
      this.host(node)
        .instances()
        .map((instance) => ({ node, ...instance })),
    );
  }

  #start(host: Host, wiped: boolean): void {
    host.start();
    for (const checker of this.#checkers) checker.started?.(host.id, wiped);
  }

  #lose(node: NodeId): void {
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

  #hostEvents(): HostEvents {
    return {
      sent: (node, cluster, message) => {
        for (const checker of this.#checkers) checker.sent?.(node, cluster, message);
      },
      durable: (node, writes) => {
        const read = (key: string): Uint8Array | undefined => this.host(node).disk.read(key);
        for (const checker of this.#checkers) checker.durable?.(node, writes, read);
      },
      reported: (node, report) => {
        const reports = this.reports.get(node);
        reports?.push(report);
        if (reports !== undefined && reports.length > reportsMax) reports.splice(0, reportsMax / 2);
        for (const checker of this.#checkers) checker.reported?.(node, report);
      },
      replied: (node, request, outcome) => {
        const asked = this.#waiting.get(request);
        if (asked?.node !== node)
          throw new Violation('one-answer', `${node} answered ${request}, which waits for none`);
        this.#waiting.delete(request);
        asked.outcome = outcome;
        this.#end(asked, 'answered');
      },
      exited: (node, code, reason) => {
        this.exits.push({ node, code, reason });
        this.#lose(node);
      },
    };
  }
}

/** A run that broke a promise, with its seed and what the nodes did last. */
export class WorldFailure extends Error {
  constructor(message: string, options: { cause: unknown }) {
    super(message, options);
    this.name = 'WorldFailure';
  }
}

function addressOf(index: number): string {
  return `/ip4/10.0.${Math.floor(index / 250)}.${(index % 250) + 1}/tcp/4001`;
}

function profileOf(id: NodeId, index: number): Profile {
  const admin = `http://10.0.${Math.floor(index / 250)}.${(index % 250) + 1}:8000`;
  return { name: id, addresses: [addressOf(index)], site: 'site-1', capabilities: [], admin, agentsMax: 100 };
}
