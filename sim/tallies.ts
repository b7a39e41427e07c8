import type { ErrorCode } from '../node/core/errors.ts';
import type { NodeId } from '../node/core/message.ts';
import type { AgentView, Operation, Results } from '../node/core/operation.ts';
import type { BranchAcknowledged } from './checkers/anytime-branch.ts';
import { Violation } from './checkers/checker.ts';
import { PatientClient, ttlMs } from './patient-client.ts';
import type { Random } from './random.ts';
import { retried } from './retried.ts';
import { readTally } from './tally.ts';
import { TallyLetters } from './tally-letters.ts';
import type { World } from './world.ts';

/** The autonomous agents of a run. */
export interface TallySettings {
  /** Those whose code has a merge, and those whose has none. */
  merging: number;
  plain: number;
  clients: number;
  holders: number;
  /** Longest between the answer of one task and the next, ms. */
  thinkMsMax: number;
  /** How often a task has its agent give another one a task; never when omitted. */
  sendChance?: number;
}

interface Task {
  agent: string;
  /** Undefined while it is not acknowledged; `branch`: provisionally, by that branch. */
  answered: { branch: string | undefined } | undefined;
}

const askedAgain: ReadonlySet<ErrorCode> = new Set([...retried, 'agentUnplaceable', 'forkOutOfReach'] as const);

const name = 'eventually-reconciled';
const encoder = new TextEncoder();

/**
 * Agents of the autonomous policy and their clients, each of whom keeps on until its task is acknowledged, provisionally
 * or not. In the end every one of them is in the agent's state, once; or, if a branch had done it, in one of the forks. What
 * they had the agents give each other has arrived where they are part of the history, and nowhere else.
 */
export class Tallies {
  readonly #world: World;
  readonly #settings: TallySettings;
  readonly #random: Random;
  readonly #client: PatientClient;
  readonly #tasks = new Map<string, Task>();
  readonly #letters: TallyLetters;
  /** Whether a branch may be lost because the disk of somebody who kept it is. */
  readonly #branches: Pick<BranchAcknowledged, 'mayBeLost'>;
  doors: readonly NodeId[] | undefined;
  #deployed = new Set<string>();
  #stopping = false;
  #outstanding = 0;
  #count = 0;

  constructor(world: World, settings: TallySettings, branches: Pick<BranchAcknowledged, 'mayBeLost'>) {
    this.#world = world;
    this.#settings = settings;
    this.#random = world.random.fork('tallies');
    this.#client = new PatientClient({ world, random: this.#random, askedAgain, doors: () => this.doors });
    this.#branches = branches;
    this.#letters = new TallyLetters(world);
  }

  get agents(): string[] {
    const { merging, plain } = this.#settings;
    return [...namesOf('tally', merging), ...namesOf('plain-tally', plain)];
  }

  get deployed(): boolean {
    return this.#deployed.size === this.agents.length;
  }

  get drained(): boolean {
    return this.#outstanding === 0;
  }

  /** How many tasks were acknowledged, and how many of them by a branch. */
  get counts(): { acknowledged: number; provisional: number } {
    const answered = [...this.#tasks.values()].flatMap((task) => task.answered ?? []);
    const provisional = answered.filter(({ branch }) => branch !== undefined).length;
    return { acknowledged: answered.length, provisional };
  }

  begin(): void {
    const { merging, plain, holders } = this.#settings;
    for (const [type, count] of [['tally', merging] as const, ['plain-tally', plain] as const]) {
      if (count === 0) continue;
      const operation: Operation = {
        ...{ type: 'deploy', request: `deploy-${type}`, agentType: type, source: 'simulated', name: type, count },
        ...{ strategy: 'least_loaded', capabilities: [], holders, partition: 'autonomous' },
      };
      this.#client.ask(operation, (outcome) => {
        if (!outcome.ok) throw new Violation('tallies', `deploy was refused: ${outcome.error.message}`);
        for (const agent of namesOf(type, count)) this.#deployed.add(agent);
        if (this.deployed)
          for (let i = 1; i <= this.#settings.clients; i++) this.#next(this.#random.fork(`client ${i}`));
      });
    }
  }

  stop(): void {
    this.#stopping = true;
  }

  #next(random: Random): void {
    this.#world.timeline.after(random.between(20, this.#settings.thinkMsMax), () => {
      if (this.#stopping) return;
      const agent = random.pick(this.agents);
      const id = `tally-${++this.#count}`;
      const task: Task = { agent, answered: undefined };
      this.#tasks.set(id, task);
      this.#outstanding += 1;
      const { sendChance = 0 } = this.#settings;
      const isSent = sendChance > 0 && random.chance(sendChance);
      const send = isSent ? this.#letters.add(id, agent, random.pick(this.agents)) : undefined;
      const payload = encoder.encode(JSON.stringify({ id, send }));
      this.#client.ask({ type: 'task', agent, task: id, payload, ttlMs }, (outcome) => {
        if (!outcome.ok) throw new Violation('tallies', `${id} of ${agent} was refused: ${outcome.error.message}`);
        this.#outstanding -= 1;
        task.answered = { branch: (outcome.result as Results['task']).branch };
        this.#next(random);
      });
    });
  }

  // ---- in the end ----

  /** Every branch has ended, and every acknowledged task is where it must be. */
  judge(withinMs: number): void {
    let judged = 0;
    for (const agent of this.agents) this.#awaitReconciled(agent, () => (judged += 1));
    const all = this.agents.length;
    this.#world.runUntil(() => judged === all, withinMs, 'the end of every branch', name);
    this.#judgeLetters(withinMs);
  }

  #awaitReconciled(agent: string, done: () => void): void {
    this.#client.ask({ type: 'agent', agent, consistency: 'linearizable' }, (outcome) => {
      if (!outcome.ok) throw new Violation(name, `${agent} is gone: ${outcome.error.message}`);
      const { branches = [] } = outcome.result as AgentView;
      // One whose keepers are lost with their disks stays listed.
      const isLost = (keepers: readonly NodeId[]): boolean => keepers.every((node) => this.#world.gone.has(node));
      const isOpen = branches.some(({ end, keepers }) => end === undefined && !isLost(keepers));
      const isKept = this.#world.nodes.some((node) => this.#keepsOpen(node, agent, branches));
      if (isOpen || isKept) return void this.#world.timeline.after(300, () => this.#awaitReconciled(agent, done));
      const forks = branches.filter(({ end }) => end?.outcome === 'forked');
      this.#client.ask({ type: 'state', agent, ttlMs }, (read) => {
        if (!read.ok) throw new Violation(name, `the state of ${agent} cannot be read: ${read.error.message}`);
        const { state } = read.result as Results['state'];
        this.#readForks(agent, forks, [], (states) => {
          this.#compare(agent, readTally(state).counts, states);
          this.#letters.learn(agent, readTally(state).counts, branches.length);
          done();
        });
      });
    });
  }

  /** Reads the states until everything has arrived that is to. */
  #judgeLetters(withinMs: number): void {
    const endMs = this.#world.nowMs + withinMs;
    const isOver = (): boolean => this.#letters.missing() === undefined || this.#world.nowMs >= endMs;
    const read = (agent: string): void => {
      if (isOver()) return;
      this.#client.ask({ type: 'state', agent, ttlMs }, (outcome) => {
        if (outcome.ok) this.#letters.learn(agent, readTally((outcome.result as Results['state']).state).counts);
        this.#world.timeline.after(300, () => read(agent));
      });
    };
    for (const agent of this.agents) read(agent);
    this.#world.runUntil(isOver, withinMs + 1_000, 'the arrival of what agents sent', name);
    const missing = this.#letters.missing();
    if (missing !== undefined) throw this.#world.failure(missing, new Violation(name, missing));
    this.#letters.check();
  }

  /** A node still keeps a branch that is no fork by the log. */
  #keepsOpen(node: NodeId, agent: string, branches: NonNullable<AgentView['branches']>): boolean {
    const prefix = `branch/${agent}~`;
    return [...this.#world.host(node).disk.keys(prefix)].some((key) => {
      const id = key.slice(prefix.length);
      return !branches.some((entry) => entry.id === id && entry.end?.outcome === 'forked');
    });
  }

  #readForks(
    agent: string,
    [first, ...rest]: NonNullable<AgentView['branches']>,
    states: Record<string, number>[],
    done: (states: Record<string, number>[]) => void,
  ): void {
    if (first === undefined) return done(states);
    if (this.#branches.mayBeLost(agent, first.id)) return this.#readForks(agent, rest, states, done);
    this.#client.ask({ type: 'fork', agent, fork: first.id, number: first.number }, (outcome) => {
      if (!outcome.ok) throw new Violation(name, `fork ${first.id} of ${agent}: ${outcome.error.message}`);
      const { counts } = readTally((outcome.result as Results['fork']).state);
      this.#readForks(agent, rest, [...states, counts], done);
    });
  }

  #compare(agent: string, counts: Record<string, number>, forks: Record<string, number>[]): void {
    for (const [id, count] of Object.entries(counts)) {
      if (this.#letters.has(id)) continue;
      if (count !== 1) throw new Violation(name, `${agent} counted ${id} ${count} times`);
      if (this.#tasks.get(id)?.agent !== agent) throw new Violation(name, `${agent} counted ${id}, which is not its`);
    }
    for (const [id, { agent: owner, answered }] of this.#tasks) {
      if (owner !== agent || answered === undefined || counts[id] === 1) continue;
      const { branch } = answered;
      if (branch === undefined) throw new Violation(name, `${agent} lost ${id}, which a majority had acknowledged`);
      if (forks.some((fork) => fork[id] === 1) || this.#branches.mayBeLost(agent, branch)) continue;
      throw new Violation(name, `${agent} lost ${id}, which its branch ${branch} had acknowledged`);
    }
  }
}

const namesOf = (type: string, count: number): string[] =>
  count === 1 ? [type] : Array.from({ length: count }, (_, i) => `${type}-${i + 1}`);
