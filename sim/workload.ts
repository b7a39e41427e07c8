import type { NodeId } from '../node/core/message.ts';
import type { Operation, Results } from '../node/core/operation.ts';
import type { AcknowledgedTasks } from './checkers/anytime-acknowledged-task.ts';
import { Violation } from './checkers/checker.ts';
import type { CounterState } from './counter.ts';
import type { Random } from './random.ts';
import { retried } from './retried.ts';
import { type Client, type Derived, operationOf, type SentTask } from './sent-task.ts';
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
  /** How often a client reads the state of an agent instead of sending a task. */
  readChance: number;
  /** How often it sends several tasks of one key at once. */
  burstChance: number;
  /** How often a task ends whatever runs it. */
  poisonChance: number;
  /** How often a client tries to cancel what it has just sent. */
  cancelChance: number;
  /** How often a task leads to others: at other agents, back here with their answer, or later. */
  sendChance: number;
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
  readChance: 0.1,
  burstChance: 0,
  poisonChance: 0,
  cancelChance: 0,
  sendChance: 0,
};

/** What a client asks of an agent, and what it is told. */
export type ClientInput = { type: 'task'; serial: number } | { type: 'read' };
export type ClientOutput = { type: 'task'; total: number } | { type: 'failed' } | ({ type: 'read' } & CounterState);

/** Told of all that clients ask and learn, for checkers that look at all of it at once. */
export interface ClientLog {
  called(agent: string, client: string, input: ClientInput, atMs: number): number;
  returned(id: number, output: ClientOutput, atMs: number): void;
  /** Nobody will ever know. */
  unknown(id: number): void;
  /** Something may take effect twice at that agent, by no fault: its history is not judged. */
  leaveOut(agent: string): void;
}

/** Longer than a task's own time: a client gives up on a node that says nothing at all. */
const silenceMs = 1_000;
const decoder = new TextDecoder();

/** Clients that send serial-numbered increments to counter agents, and keep on until each has its answer. */
export class Workload {
  readonly #world: World;
  readonly #oracle: AcknowledgedTasks;
  readonly #settings: WorkloadSettings;
  readonly #random: Random;
  readonly #log: ClientLog | undefined;
  #serial = 0;
  #stopping = false;
  #deployed = false;
  /** Agent of each task that has no answer yet. */
  readonly #outstanding = new Map<number, string>();
  /** Nodes that clients speak to; all of them when undefined. */
  doors: readonly NodeId[] | undefined;
  /** Longest that a task waited for its acknowledgement, all tries together, ms. */
  slowestMs = 0;

  constructor(world: World, oracle: AcknowledgedTasks, settings: Partial<WorkloadSettings> = {}, log?: ClientLog) {
    this.#world = world;
    this.#oracle = oracle;
    this.#settings = { ...defaultWorkload, ...settings };
    this.#random = world.random.fork('workload');
    this.#log = log;
  }

  get agents(): string[] {
    const { agents } = this.#settings;
    return agents === 1 ? ['counter'] : Array.from({ length: agents }, (_, i) => `counter-${i + 1}`);
  }

  get deployed(): boolean {
    return this.#deployed;
  }

  /** Every task that was sent has its answer. */
  get drained(): boolean {
    return this.#outstanding.size === 0;
  }

  /** Tasks without an answer, of these agents. */
  outstanding(agents: ReadonlySet<string>): number {
    return [...this.#outstanding.values()].filter((agent) => agents.has(agent)).length;
  }

  /** Deploys the counters, retrying under the same request id as a user would, and lets the clients begin then. */
  begin(): void {
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
    const attempt = (): void => {
      if (this.#deployed) return;
      const node = this.#anyNode();
      const again = (): void => this.#world.timeline.after(this.#random.between(100, 300), attempt);
      if (node === undefined) return again();
      let over = false;
      this.#world.request(node, operation, ({ outcome }) => {
        if (over) return;
        over = true;
        if (outcome?.ok === true) this.#start();
        else if (outcome === undefined || retried.has(outcome.error.code)) again();
        // Founded, and nobody has joined yet: there is no node to place anything on.
        else if (outcome.error.code === 'agentUnplaceable') again();
        else throw new Violation('workload', `deploy was refused: ${outcome.error.message}`);
      });
      this.#world.timeline.after(deployPatienceMs, () => {
        if (over) return;
        over = true;
        again();
      });
    };
    this.#world.timeline.after(0, attempt);
  }

  /** Deploys the counters and waits for it. */
  deploy(withinMs: number): void {
    this.begin();
    this.#world.runUntil(() => this.#deployed, withinMs, 'the deployment of the counters');
  }

  #start(): void {
    if (this.#deployed) return;
    this.#deployed = true;
    for (let i = 1; i <= this.#settings.clients; i++) {
      const client = { name: `client-${i}`, random: this.#random.fork(`client ${i}`) };
      this.#world.timeline.after(client.random.between(0, this.#settings.thinkMsMax), () => this.#next(client));
    }
  }

  /** Sends nothing new; what was sent is still retried until it has its answer. */
  stop(): void {
    this.#stopping = true;
  }

  /** Reads these agents' states through any node and lets the oracle judge them. */
  judge(withinMs: number, agents = this.agents): void {
    const states = new Map<string, CounterState>();
    for (const agent of agents) {
      const attempt = (): void => {
        this.#read({ name: 'judge', random: this.#random }, agent, (state) => {
          if (state === undefined || this.#oracle.isOwed(agent, state)) this.#world.timeline.after(200, attempt);
          else states.set(agent, state);
        });
      };
      this.#world.timeline.after(0, attempt);
    }
    const isRead = (): boolean => states.size === agents.length;
    this.#world.runUntil(isRead, withinMs, 'reading the states of all agents', 'eventually-progress');
    for (const [agent, state] of states) {
      try {
        this.#oracle.judge(agent, state);
      } catch (error) {
        throw this.#world.failure(String(error), error);
      }
    }
  }

  /** One more task for each of these agents: the clients may all be waiting for others. `door`: where it goes in first. */
  poke(agents: readonly string[], door?: NodeId): void {
    for (const agent of agents.filter((one) => this.agents.includes(one))) {
      const client = { name: 'prober', random: this.#random };
      this.#send(this.#newTask(client, agent, { poison: 0, isCancelled: false, derived: {}, door }), () => {});
    }
  }

  #next(client: Client): void {
    if (this.#stopping) return;
    const { thinkMsMin, thinkMsMax, readChance, burstChance } = this.#settings;
    const then = (): void =>
      this.#world.timeline.after(client.random.between(thinkMsMin, thinkMsMax), () => this.#next(client));
    const agent = client.random.pick(this.agents);
    if (client.random.chance(readChance)) this.#read(client, agent, then);
    else if (client.random.chance(burstChance)) this.#burst(client, agent, then);
    else this.#task(client, agent, then);
  }

  /** One read, tried once: `done` is told the state, or nothing when it was not to be had. */
  #read(client: Client, agent: string, done: (state: CounterState | undefined) => void): void {
    const node = this.#anyNode(client.random);
    if (node === undefined) return void this.#world.timeline.after(silenceMs, () => done(undefined));
    const id = this.#log?.called(agent, client.name, { type: 'read' }, this.#world.nowMs) ?? 0;
    let over = false;
    const finish = (state: CounterState | undefined): void => {
      if (over) return;
      over = true;
      if (state === undefined) this.#log?.unknown(id);
      else this.#log?.returned(id, { type: 'read', ...state }, this.#world.nowMs);
      done(state);
    };
    const { ttlMs } = this.#settings;
    this.#world.request(node, { type: 'state', agent, ttlMs }, ({ outcome }) => {
      if (outcome?.ok !== true) return finish(undefined);
      const { state } = outcome.result as Results['state'];
      finish(JSON.parse(decoder.decode(state)) as CounterState);
    });
    this.#world.timeline.after(ttlMs + silenceMs, () => finish(undefined));
  }

  #task(client: Client, agent: string, then: () => void): void {
    this.#send(this.#newTask(client, agent), then);
  }

  #newTask(client: Client, agent: string, more: Partial<SentTask> = {}): SentTask {
    const { poisonChance, cancelChance, sendChance } = this.#settings;
    const poison = client.random.chance(poisonChance) ? client.random.pick([0.8, 1]) : 0;
    return {
      ...{ client, agent, serial: ++this.#serial, key: '', priority: client.random.below(10), door: undefined },
      ...{ poison, isCancelled: client.random.chance(cancelChance), isAside: false, tries: 0 },
      ...{ derived: client.random.chance(sendChance) ? this.#derive(client, agent) : {}, ...more },
    };
  }

  /** Tasks that the agents are to give each other and themselves: each has a serial, and is to take effect once. The newest serial is that of the task that leads to them. */
  #derive(client: Client, agent: string): Derived {
    const { random } = client;
    const by = { agent, serial: this.#serial };
    const serialOf = (owner: string): number => {
      const serial = ++this.#serial;
      if (this.#oracle.asked(owner, serial, by)) this.#log?.leaveOut(owner);
      this.#log?.unknown(this.#log.called(owner, 'mail', { type: 'task', serial }, this.#world.nowMs));
      return serial;
    };
    const to = random.pick(this.agents);
    const isLater = random.chance(0.4);
    return {
      ...(!isLater && { send: { to, serial: serialOf(to), ...(random.chance(0.5) && { reply: serialOf(agent) }) } }),
      ...(isLater && { timer: { afterMs: random.below(3_000), serial: serialOf(agent) } }),
    };
  }

  /** What became of a task is what becomes of those that it leads to. */
  #judgeDerived({ agent, serial: by, derived: { send, timer } }: SentTask, isDone: boolean): void {
    const owned = [
      [agent, send?.reply] as const,
      [send?.to ?? '', send?.serial] as const,
      [agent, timer?.serial] as const,
    ];
    for (const [owner, serial] of owned) {
      if (serial !== undefined && isDone) this.#oracle.promised(owner, serial, { agent, serial: by });
      else if (serial !== undefined) this.#oracle.refused(owner, serial);
    }
  }

  /**
   * Several tasks of one key at once, by one door: those that were answered at the first try took effect in their order,
   * whatever their priorities.
   */
  #burst(client: Client, agent: string, then: () => void): void {
    const door = this.#anyNode(client.random);
    // Where nobody is there to take them, they would come in by any door and in any order.
    if (door === undefined) return this.#task(client, agent, then);
    const key = `${client.name}-${++this.#serial}`;
    const length = client.random.pick([2, 3, 4]);
    const sent = Array.from({ length }, () => this.#newTask(client, agent, { key, door, poison: 0 }));
    const totals: number[] = [];
    let left = length;
    for (const [place, task] of sent.entries()) {
      this.#send(task, (total) => {
        if (total !== undefined && task.tries === 1) totals[place] = total;
        left -= 1;
        if (left > 0) return;
        // What an operator gave up is counted anew.
        const inOrder = totals.filter((each, at) => !this.#oracle.isGivenUp(agent, sent[at]?.serial ?? 0, each));
        if (inOrder.some((each, i) => i > 0 && each < (inOrder[i - 1] as number))) {
          throw new Violation(
            'anytime-key-in-order',
            `${agent} did the tasks of ${key} as totals ${inOrder.join(', ')}`,
          );
        }
        then();
      });
    }
  }

  #send(sent: SentTask, then: (total: number | undefined) => void): void {
    const { client, agent, serial, isCancelled } = sent;
    const firstMs = this.#world.nowMs;
    this.#outstanding.set(serial, agent);
    this.#oracle.asked(agent, serial);
    const id = this.#log?.called(agent, client.name, { type: 'task', serial }, firstMs) ?? 0;
    this.#attempt(sent, (total) => {
      this.#outstanding.delete(serial);
      const output: ClientOutput = total === undefined ? { type: 'failed' } : { type: 'task', total };
      this.#log?.returned(id, output, this.#world.nowMs);
      this.slowestMs = Math.max(this.slowestMs, this.#world.nowMs - firstMs);
      then(total);
    });
    if (isCancelled) this.#world.timeline.after(client.random.between(0, 300), () => this.#cancel(sent));
  }

  /** Asks once, by any door: whether it came to anything, the task's own answer says. */
  #cancel({ client, agent, serial }: SentTask): void {
    const node = this.#anyNode(client.random);
    if (node === undefined) return;
    const { ttlMs } = this.#settings;
    this.#world.request(node, { type: 'taskCancel', agent, task: `task-${serial}`, ttlMs }, ({ outcome }) => {
      if (outcome?.ok === true) this.#oracle.refused(agent, serial);
    });
  }

  /** Sends a task, again and again under its id. `done` is told the total, or nothing when it had no effect and never will. */
  #attempt(sent: SentTask, done: (total: number | undefined) => void): void {
    const { client, agent, serial, poison, isCancelled } = sent;
    const { ttlMs, retryMsMin, retryMsMax } = this.#settings;
    let over = false;
    const again = (): void => {
      over = true;
      this.#world.timeline.after(client.random.between(retryMsMin, retryMsMax), () => this.#attempt(sent, done));
    };
    const ended = (total: number | undefined): void => {
      over = true;
      if (total === undefined) this.#oracle.refused(agent, serial);
      else this.#oracle.acknowledged(agent, serial, total);
      this.#judgeDerived(sent, total !== undefined);
      done(total);
    };
    const node = (sent.tries === 0 ? sent.door : undefined) ?? this.#anyNode(client.random);
    if (node === undefined) return again();
    sent.tries += 1;
    this.#world.request(node, operationOf(sent, ttlMs), ({ outcome }: Asked) => {
      if (over) return;
      if (outcome?.ok === true) {
        ended((JSON.parse(decoder.decode((outcome.result as Results['task']).value)) as { total: number }).total);
        return;
      }
      const code = outcome?.error.code;
      if (code === undefined || retried.has(code)) return again();
      if (code === 'taskFailed' || (code === 'taskCancelled' && (isCancelled || poison > 0))) return ended(undefined);
      if (code !== 'taskSetAside') {
        throw new Violation('workload', `task-${serial} of ${agent} at ${node}: ${outcome?.error.message}`);
      }
      // What no try can do is left there, or dropped; of the rest its hosts died for other reasons, or for bad luck.
      if (poison < 1) {
        sent.isAside = true;
        return again();
      }
      if (client.random.chance(0.5)) this.#cancel(sent);
      ended(undefined);
    });
    this.#world.timeline.after(ttlMs + silenceMs, () => {
      if (!over) again();
    });
  }

  /** Any node whose process exists; a client cannot tell that one is paused. */
  #anyNode(random = this.#random): NodeId | undefined {
    const there = (this.doors ?? this.#world.nodes).filter((node) => this.#world.host(node).state !== 'off');
    return there.length === 0 ? undefined : random.pick(there);
  }
}

/** Longer than a node takes to say that it does not know. */
const deployPatienceMs = 17_000;
