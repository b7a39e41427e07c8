import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Instant } from '../../node/core/node.ts';
import type { WorldAct } from '../../sim/checkers/checker.ts';
import { counter } from '../../sim/counter.ts';
import { Director } from '../../sim/faults/director.ts';
import { Losses } from '../../sim/losses.ts';
import { Operators } from '../../sim/operators.ts';
import type { World } from '../../sim/world.ts';
import { activated, bytes, created, ledgerOf, placed, report, votersAre } from './checkers/planted.ts';
import { type Seen, scriptedWorld, send } from './scripted-node.ts';

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'];

/** The log: three vote, n1 leads, and n2 hosts an agent that n3 and n4 hold with it. */
const decided = [
  votersAre(1, 'n1', 'n2', 'n5'),
  report(2, 'leaderElected', { leader: 'n1', term: 1 }),
  created(3, 'counter'),
  placed(4, 'counter', 'n2', 4, ['n2', 'n3', 'n4']),
  activated(5, 'counter', 4),
];

/** A node that is connected to all and does a bit of everything each second: writes, sends, and gives its agent a task. */
function busy(event: Event, at: Instant, id: string, world: World): Effect[] {
  const agent = `agent-${id}`;
  const start = { type: 'startAgent', agent, agentType: 'counter', epoch: 1, source: '', state: undefined } as const;
  switch (event.type) {
    case 'wake':
      return [start, ...world.nodes.map((node): Effect => ({ type: 'dial', node, addresses: [] }))];
    case 'load':
      return [
        { type: 'persist', id: 1, writes: [{ key: 'record', value: bytes('something') }] },
        ...nodes.filter((node) => node !== id).map((node) => send(node, Math.floor(world.nowMs))),
        { type: 'runTask', agent, epoch: 1, task: `${at.nowMs}`, payload: bytes('{"serial":1}'), deadlineMs: 1e9 },
      ];
    case 'disconnected':
      return [{ type: 'dial', node: event.node, addresses: [] }];
    case 'agentFailed':
      return [start];
    case 'stop':
      return [{ type: 'exit', code: 0, reason: 'asked to' }];
    case 'request':
      return [{ type: 'reply', request: event.request, outcome: { ok: true, result: { agents: [] } } }];
    default:
      return [];
  }
}

/** A world in which faults strike, and what is to be seen of it since. */
export class Stage {
  readonly world: World;
  readonly director: Director;
  readonly operators: Operators;
  readonly acts: WorldAct[] = [];
  readonly ended: string[] = [];
  readonly #seen: Seen[];
  #from = 0;

  constructor(seed: string) {
    const { world, seen } = scriptedWorld((event, at, { id }) => busy(event, at, id, this.world), {
      seed,
      nodes: nodes.length,
      programs: { counter },
      runner: { runMsMin: 10, runMsMax: 10, taskTimeoutMs: 2_500 },
      network: { latencyMsMin: 1, latencyMsMax: 1, tailChance: 0 },
      disk: { syncMsMin: 1, syncMsMax: 1, stallChance: 0 },
      checkers: [{ acted: (act) => void this.acts.push(act), ended: (node) => void this.ended.push(node) }],
    });
    this.world = world;
    this.#seen = seen;
    this.operators = new Operators(world);
    this.director = new Director(world, new Losses(world, ledgerOf(...decided)), this.operators);
    world.run(1_500);
    // Something that an operator may delete.
    this.operators.deploy();
    world.run(2_000);
    this.acts.length = 0;
    this.#from = seen.length;
  }

  /** What the nodes saw since the beginning. */
  get seen(): Seen[] {
    return this.#seen.slice(this.#from);
  }

  failed(reason: string): number {
    return this.seen.filter(({ event }) => event.type === 'agentFailed' && event.reason.includes(reason)).length;
  }

  /** Longest that a frame took, ms. */
  slowestFrameMs(sinceMs = 0): number {
    const times = this.seen.map(({ event, atMs }) =>
      event.type === 'message' && event.message.type === 'probe' && atMs >= sinceMs
        ? atMs - event.message.body.sequence
        : 0,
    );
    return Math.max(0, ...times);
  }

  /** Longest that a task took, by the clock of its node, ms. */
  slowestTaskMs(sinceMs = 0): number {
    const times = this.seen.map(({ event, atMs, nowMs }) =>
      event.type === 'taskRan' && atMs >= sinceMs ? nowMs - Number(event.task) : 0,
    );
    return Math.max(0, ...times);
  }

  asked(operation: string): boolean {
    return this.seen.some(({ event }) => event.type === 'request' && event.operation.type === operation);
  }

  disconnections(): string[] {
    return this.seen.flatMap(({ node, event }) => (event.type === 'disconnected' ? [node] : []));
  }

  exits(code: number, reason: string): boolean {
    return this.world.exits.some((exit) => exit.code === code && exit.reason.includes(reason));
  }

  /** Directions that are cut, such as `n1>n2`. */
  cuts(): string[] {
    const { network } = this.world;
    const pairs = this.world.nodes.flatMap((one) => this.world.nodes.map((other) => [one, other] as const));
    return pairs.filter(([one, other]) => !network.reaches(one, other)).map(([one, other]) => `${one}>${other}`);
  }

  /** Groups that reach each other and nobody else. */
  groups(): number {
    const { world } = this;
    return new Set(world.nodes.map((one) => world.nodes.filter((other) => world.network.reaches(one, other)).join(' ')))
      .size;
  }

  states(state: string): number {
    return this.world.nodes.filter((node) => this.world.host(node).state === state).length;
  }

  /** Wall clocks that are off by more than a second. */
  wallClocksOff(): number {
    const { world } = this;
    const shown = world.nodes.map((node) => world.host(node).clock.wallMs(world.nowMs));
    const usual = shown.toSorted((a, b) => a - b)[2] ?? 0;
    return shown.filter((ms) => Math.abs(ms - usual) > 1_000).length;
  }

  /** What still lasts of a fault: nothing, when all is well. */
  lasting(): string[] {
    const { world } = this;
    const recentlyMs = world.nowMs - 2_000;
    const found = {
      'not all run': world.running.length < world.nodes.length,
      'not all reach each other': this.cuts().length > 0,
      'frames are slow': this.slowestFrameMs(recentlyMs) > 10,
      'tasks are slow': this.slowestTaskMs(recentlyMs) > 100,
      'a disk is in trouble': world.nodes.some((node) => world.host(node).disk.trouble !== undefined),
      'a disk is slow': world.nodes.some((node) => world.host(node).disk.slowness !== 1),
      'a node makes nothing ready': world.nodes.some((node) => world.host(node).runner?.isFull),
      'a machine is overloaded': world.nodes.some((node) => world.host(node).serviceMs !== 0),
      'a clock is fast or slow': world.nodes.some((node) => world.host(node).clock.rate !== 1),
    };
    return Object.entries(found).flatMap(([what, is]) => (is ? [what] : []));
  }
}
