import type { ErrorCode } from '../node/core/errors.ts';
import type { NodeId } from '../node/core/message.ts';
import type { Operation, Results } from '../node/core/operation.ts';
import type { Behaviour } from './agents.ts';
import type { AcknowledgedTasks, CounterState } from './checkers/anytime-acknowledged-task.ts';
import { Violation } from './checkers/checker.ts';
import type { Random } from './random.ts';
import type { Asked, World } from './world.ts';

export interface WorkloadSettings {
  agents: number;
  clients: number;
  /** Between the answer of one task and the next. */
  thinkMsMin: number;
  thinkMsMax: number;
  /** Before a task is sent again. */
  retryMsMin: number;
  retryMsMax: number;
  ttlMs: number;
  holders: number;
  strategy: string;
}

export const defaultWorkload: WorkloadSettings = {
  agents: 3,
  clients: 3,
  thinkMsMin: 20,
  thinkMsMax: 120,
  retryMsMin: 30,
  retryMsMax: 250,
  ttlMs: 3_000,
  holders: 3,
  strategy: 'round_robin',
};

/** Counts how often each serial took effect. */
export const counter: Behaviour = {
  init: (): CounterState => ({ total: 0, counts: {} }),
  handle: (state, payload) => {
    const { total, counts } = state as CounterState;
    const { serial } = payload as { serial: number };
    const after = { total: total + 1, counts: { ...counts, [serial]: (counts[serial] ?? 0) + 1 } };
    return { state: after, value: { total: after.total } };
  },
};

/** Errors after which the same task is sent again under the same id. */
const retried: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'leaderUnknown',
  'notLeader',
  'notMember',
  'backlogFull',
  'deadlineExceeded',
  'agentNotReady',
]);

/** Longer than a task's own time: a client gives up on a node that says nothing at all. */
const silenceMs = 1_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Clients that send serial-numbered increments to counter agents, and keep on until each has its answer. */
export class Workload {
  readonly #world: World;
  readonly #oracle: AcknowledgedTasks;
  readonly #settings: WorkloadSettings;
  readonly #random: Random;
  #serial = 0;
  #stopping = false;
  #outstanding = 0;
  /** Longest that a task waited for its acknowledgement, all tries together, ms. */
  slowestMs = 0;

  constructor(world: World, oracle: AcknowledgedTasks, settings: Partial<WorkloadSettings> = {}) {
    this.#world = world;
    this.#oracle = oracle;
    this.#settings = { ...defaultWorkload, ...settings };
    this.#random = world.random.fork('workload');
  }

  get agents(): string[] {
    const { agents } = this.#settings;
    return agents === 1 ? ['counter'] : Array.from({ length: agents }, (_, i) => `counter-${i + 1}`);
  }

  /** Every task that was sent has its answer. */
  get drained(): boolean {
    return this.#outstanding === 0;
  }

  /** Deploys the counters, retrying under the same request id as a user would. */
  deploy(withinMs: number): void {
    const { agents: count, holders, strategy } = this.#settings;
    const operation: Operation = {
      type: 'deploy',
      request: 'deploy-counters',
      agentType: 'counter',
      source: 'simulated',
      name: 'counter',
      count,
      strategy,
      capabilities: [],
      holders,
    };
    let deployed = false;
    const attempt = (): void => {
      const node = this.#anyNode();
      const again = (): void => this.#world.timeline.after(this.#random.between(100, 300), attempt);
      if (node === undefined) return again();
      this.#world.request(node, operation, ({ outcome }) => {
        if (outcome?.ok === true) deployed = true;
        else if (outcome === undefined || retried.has(outcome.error.code)) again();
        else throw new Violation('workload', `deploy was refused: ${outcome.error.message}`);
      });
    };
    this.#world.timeline.after(0, attempt);
    this.#world.runUntil(() => deployed, withinMs, 'the deployment of the counters');
  }

  /** The clients begin. */
  start(): void {
    for (let client = 1; client <= this.#settings.clients; client++) {
      const random = this.#random.fork(`client ${client}`);
      this.#world.timeline.after(random.between(0, this.#settings.thinkMsMax), () => this.#next(random));
    }
  }

  /** Sends nothing new; what was sent is still retried until it has its answer. */
  stop(): void {
    this.#stopping = true;
  }

  /** Reads every agent's state through any node and lets the oracle judge it. */
  judge(withinMs: number): void {
    const states = new Map<string, CounterState>();
    for (const agent of this.agents) {
      const attempt = (): void => {
        const node = this.#anyNode();
        const again = (): void => this.#world.timeline.after(200, attempt);
        if (node === undefined) return again();
        this.#world.request(node, { type: 'state', agent, ttlMs: 3_000 }, ({ outcome }) => {
          if (outcome?.ok !== true) return again();
          const { state } = outcome.result as Results['state'];
          states.set(agent, JSON.parse(decoder.decode(state)) as CounterState);
        });
      };
      this.#world.timeline.after(0, attempt);
    }
    this.#world.runUntil(() => states.size === this.agents.length, withinMs, 'reading the states of all agents');
    for (const [agent, state] of states) {
      try {
        this.#oracle.judge(agent, state);
      } catch (error) {
        throw this.#world.failure(String(error));
      }
    }
  }

  #next(random: Random): void {
    if (this.#stopping) return;
    const agent = random.pick(this.agents);
    const serial = ++this.#serial;
    this.#outstanding += 1;
    this.#oracle.asked(agent, serial);
    const firstMs = this.#world.nowMs;
    this.#attempt(random, agent, serial, () => {
      this.#outstanding -= 1;
      this.slowestMs = Math.max(this.slowestMs, this.#world.nowMs - firstMs);
      const { thinkMsMin, thinkMsMax } = this.#settings;
      this.#world.timeline.after(random.between(thinkMsMin, thinkMsMax), () => this.#next(random));
    });
  }

  #attempt(random: Random, agent: string, serial: number, done: () => void): void {
    const { ttlMs, retryMsMin, retryMsMax } = this.#settings;
    const payload = encoder.encode(JSON.stringify({ serial }));
    let over = false;
    const again = (): void => {
      over = true;
      this.#world.timeline.after(random.between(retryMsMin, retryMsMax), () =>
        this.#attempt(random, agent, serial, done),
      );
    };
    const node = this.#anyNode(random);
    if (node === undefined) return again();
    this.#world.request(node, { type: 'task', agent, task: `task-${serial}`, payload, ttlMs }, ({ outcome }: Asked) => {
      if (over) return;
      if (outcome?.ok === true) {
        over = true;
        const { value } = outcome.result as Results['task'];
        const { total } = JSON.parse(decoder.decode(value)) as { total: number };
        this.#oracle.acknowledged(agent, serial, total);
        done();
      } else if (outcome === undefined || retried.has(outcome.error.code)) again();
      else if (outcome.error.code === 'taskFailed') {
        over = true;
        this.#oracle.refused(agent, serial);
        done();
      } else throw new Violation('workload', `task-${serial} of ${agent} at ${node}: ${outcome.error.message}`);
    });
    this.#world.timeline.after(ttlMs + silenceMs, () => {
      if (!over) again();
    });
  }

  /** Any node whose process exists; a client cannot tell that one is paused. */
  #anyNode(random = this.#random): NodeId | undefined {
    const there = this.#world.nodes.filter((node) => this.#world.host(node).state !== 'off');
    return there.length === 0 ? undefined : random.pick(there);
  }
}
