import type { NodeId } from '../node/core/message.ts';
import type { AgentView, Operation, Outcome, Results } from '../node/core/operation.ts';
import type { Observer } from './checkers/checker.ts';
import { Violation } from './checkers/checker.ts';
import { awaitSettled } from './checkers/eventually-settled.ts';
import type { DiskTrouble } from './disk.ts';
import { ScenarioMistake } from './failure.ts';
import type { GuestSettings } from './guests.ts';
import type { Plan } from './plan.ts';
import type { Program } from './program.ts';
import type { Cut } from './reach.ts';
import { Simulation, settleWithinMs } from './simulation.ts';
import type { WorkloadSettings } from './workload.ts';

/** A scripted story: who is cut off, killed or paused when, and what must hold. The default export of a scenario file. */
export interface Scenario {
  title: string;
  nodes: number;
  /** Counter agents and their clients, as in any run. */
  workload?: Partial<WorkloadSettings>;
  /** A user's own agents: `--agent` gives their code. */
  guests?: GuestSettings;
  /** Tells the story. Everything that holds in any run is checked all along, too. */
  story(stage: Stage): void;
}

const answerWithinMs = 20_000;

/** Where a story takes place: verbs for what can happen, and questions about what is. */
export class Stage {
  readonly #simulation: Simulation;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  get #world() {
    return this.#simulation.world;
  }

  // ---- questions ----

  /** Virtual time, ms. */
  get nowMs(): number {
    return this.#world.nowMs;
  }

  get nodes(): NodeId[] {
    return this.#world.nodes;
  }

  /** The counter agents of the workload. */
  get agents(): string[] {
    return this.#simulation.workload.agents;
  }

  /** The node that led last. */
  leader(): NodeId {
    const { leader } = this.#simulation.leaders;
    if (leader === undefined) throw new ScenarioMistake('Nobody has led yet: begin with stage.settle().');
    return leader.node;
  }

  get term(): number {
    return this.#simulation.leaders.leader?.term ?? 0;
  }

  /** All nodes but these. */
  others(...nodes: readonly NodeId[]): NodeId[] {
    return this.nodes.filter((node) => !nodes.includes(node));
  }

  /** The node that the log places an agent on. */
  hostOf(agent: string): NodeId {
    const host = this.#simulation.ledger.agents.get(agent)?.placement?.host;
    if (host === undefined) throw new ScenarioMistake(`There is no agent ${agent}, or it has no place yet.`);
    return host;
  }

  holdersOf(agent: string): readonly NodeId[] {
    return this.#simulation.ledger.agents.get(agent)?.active?.holders ?? [];
  }

  /** Tasks acknowledged so far, of one agent or all. */
  acknowledged(agent?: string): number {
    return this.#simulation.oracle.acknowledgedCount(agent);
  }

  /** What a node says about an agent. */
  agent(agent: string, at = this.#anyRunning()): AgentView | undefined {
    const outcome = this.ask(at, { type: 'agent', agent });
    return outcome?.ok ? (outcome.result as Results['agent']) : undefined;
  }

  // ---- verbs ----

  /** A line of the story. */
  say(text: string): void {
    this.#world.act('phase', 'world', text);
  }

  /** Lets time go on. */
  run(forMs: number): void {
    this.#world.runFor(forMs);
  }

  /** Lets time go on until a condition holds; the promise is broken when it does not in time. Returns how long it took, ms. */
  until(what: string, condition: () => boolean, withinMs: number): number {
    return this.#world.runUntil(condition, withinMs, what, 'scenario');
  }

  /** Must hold at this moment. */
  expect(what: string, holds: boolean): void {
    if (!holds) throw this.#world.failure(what, new Violation('scenario', `it does not hold that ${what}`));
  }

  /** Waits until this many more tasks are acknowledged. */
  progress(tasks: number, withinMs: number, agent?: string): number {
    const before = this.acknowledged(agent);
    const what = `${tasks} more acknowledged tasks of ${agent ?? 'all agents'}`;
    return this.until(what, () => this.acknowledged(agent) >= before + tasks, withinMs);
  }

  /** Waits until everything is as it should be, on all nodes that run. */
  settle(withinMs = settleWithinMs): void {
    awaitSettled(this.#world, { wanted: () => this.#simulation.wanted() }, withinMs);
  }

  crash(node: NodeId, how: 'noticed' | 'silent' = 'noticed'): void {
    this.#world.crash(this.#known(node), how);
  }

  restart(node: NodeId): void {
    if (this.#world.host(this.#known(node)).state !== 'off') throw new ScenarioMistake(`Node ${node} is not off.`);
    this.#world.restart(node);
  }

  /** The machine is lost with its disk; a new one stands at its address. Returns the id of that one. */
  replace(node: NodeId): NodeId {
    return this.#world.replace(this.#known(node));
  }

  add(): NodeId {
    return this.#world.addNode();
  }

  pause(node: NodeId, clockToo = false): void {
    this.#world.pause(this.#known(node), clockToo);
  }

  resume(node: NodeId): void {
    this.#world.resume(this.#known(node));
  }

  /** Asks a node to stop in good order: what it has goes to others first. */
  drain(node: NodeId): void {
    this.#world.stop(this.#known(node));
  }

  /** Cuts silently between groups; nodes named in none form one more. `frames`: lost, or delivered after the heal. */
  partition(groups: readonly (readonly NodeId[])[], frames: 'lost' | 'held' = 'lost'): Cut {
    for (const node of groups.flat()) this.#known(node);
    return this.#world.partition(groups, frames);
  }

  /** Cuts one direction. */
  cut(from: NodeId, to: NodeId): Cut {
    return this.#world.cut(this.#known(from), this.#known(to));
  }

  mend(cut: Cut): void {
    this.#world.mend(cut);
  }

  heal(): void {
    this.#world.heal();
  }

  diskTrouble(node: NodeId, trouble: DiskTrouble | undefined): void {
    this.#world.setDiskTrouble(this.#known(node), trouble);
  }

  failAgent(agent: string, reason = 'it crashed'): void {
    for (const { node, agent: id, epoch } of this.#world.instances()) {
      if (id === agent) this.#world.host(node).failAgent(agent, epoch, reason);
    }
  }

  /** An operator moves an agent; returns when it is answered. */
  migrate(agent: string, target: NodeId): Outcome | undefined {
    return this.ask(this.#anyRunning(), { type: 'migrate', agent, target: this.#known(target) });
  }

  /** Puts an operation to a node and waits for the outcome; nothing when the node died or said nothing. */
  ask(node: NodeId, operation: Operation, withinMs = answerWithinMs): Outcome | undefined {
    const asked = this.#world.request(this.#known(node), operation);
    const endMs = this.nowMs + withinMs;
    while (asked.state === 'waiting' && this.nowMs < endMs) this.#world.runFor(1);
    return asked.outcome;
  }

  #known(node: NodeId): NodeId {
    if (this.#world.nodes.includes(node)) return node;
    throw new ScenarioMistake(`There is no node ${node}. There are ${this.#world.nodes.join(', ')}.`);
  }

  #anyRunning(): NodeId {
    const [node] = this.#world.running;
    if (node === undefined) throw new ScenarioMistake('No node runs that could be asked.');
    return node;
  }
}

/** A scenario as a simulation: the same world, checkers and end as any run, with the story in the place of the faults. */
export class ScenarioSimulation extends Simulation {
  readonly #scenario: Scenario;

  constructor(
    scenario: Scenario,
    seed: string,
    observers: readonly Observer[] = [],
    programs: Readonly<Record<string, Program>> = {},
  ) {
    super(planOf(scenario, seed), observers, programs);
    this.#scenario = scenario;
  }

  override run(): void {
    this.world.act('phase', 'world', this.#scenario.title);
    this.begin();
    this.#scenario.story(new Stage(this));
    this.healAll();
    this.judge();
  }
}

function planOf({ nodes, workload, guests }: Scenario, seed: string): Plan {
  return {
    seed,
    nodes,
    faultsMs: 0,
    startSpreadMs: 300,
    faultsFromStart: false,
    agentsMax: 100,
    clockOffsetMsMax: 60_000,
    clockDriftMax: 0,
    network: {},
    disk: {},
    workload: { readChance: 0.1, ...workload },
    ...(guests && { guests }),
    strikes: [],
  };
}

/** Says what is wrong with what a scenario file exports; undefined when it is a scenario. */
export function whyNotScenario(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'its default export is not an object';
  const { title, nodes, story } = value as Record<string, unknown>;
  if (typeof title !== 'string') return 'it has no title';
  if (!Number.isInteger(nodes) || Number(nodes) < 1 || Number(nodes) > 100)
    return 'nodes must be a number from 1 to 100';
  return typeof story === 'function' ? undefined : 'it has no story';
}
