import type { Operation, Outcome } from '../../node/core/operation.ts';
import { Violation } from '../../sim/checkers/checker.ts';
import { awaitSettled } from '../../sim/checkers/eventually-settled.ts';
import type { Plan } from '../../sim/plan.ts';
import { Simulation } from '../../sim/simulation.ts';
import type { Workload, WorkloadSettings } from '../../sim/workload.ts';
import type { World } from '../../sim/world.ts';

export const settleWithinMs = 30_000;

/** A plan in which nothing goes wrong by itself. */
export function calmPlan(seed: string, parts: Partial<Plan> = {}): Plan {
  return {
    seed,
    nodes: 5,
    faultsMs: 0,
    startSpreadMs: 300,
    faultsFromStart: false,
    agentsMax: 100,
    clockOffsetMsMax: 60_000,
    clockDriftMax: 0,
    network: {},
    disk: {},
    workload: {},
    strikes: [],
    ...parts,
  };
}

/** A world of production nodes with every checker watching, and counter agents with their clients; a test moves it on. */
export class Cluster {
  readonly simulation: Simulation;

  constructor(seed: string, parts: Partial<Plan> = {}, workload: Partial<WorkloadSettings> = {}) {
    this.simulation = new Simulation(calmPlan(seed, { workload, ...parts }));
  }

  get world(): World {
    return this.simulation.world;
  }

  get workload(): Workload {
    return this.simulation.workload;
  }

  /** Asks a node and waits for its answer, as a user would. */
  ask(node: string, operation: Operation): Outcome {
    const asked = this.world.request(node, operation);
    this.world.runUntil(() => asked.state !== 'waiting', 30_000, `the answer to ${operation.type}`);
    if (asked.outcome === undefined) throw this.world.failure(`${node} was lost`);
    return asked.outcome;
  }

  get agents(): string[] {
    return this.workload.agents;
  }

  /** Founds, deploys the counters and lets the clients begin. Returns this. */
  begin(): this {
    this.simulation.begin();
    return this;
  }

  get leader(): string {
    const { leader } = this.simulation.leaders;
    if (leader === undefined) throw this.world.failure('nobody led yet');
    return leader.node;
  }

  get term(): number {
    return this.simulation.leaders.leader?.term ?? 0;
  }

  /** The node that runs an agent; throws when there is not exactly one. */
  hostOf(agent: string): string {
    const [instance, ...others] = this.world.instances().filter((one) => one.agent === agent);
    if (instance === undefined || others.length > 0) throw this.world.failure(`${agent} has not one instance`);
    return instance.node;
  }

  acknowledged(agent?: string): number {
    return this.simulation.oracle.acknowledgedCount(agent);
  }

  /** Runs until this many more tasks are acknowledged; returns how long that took, ms. */
  progress(tasks: number, withinMs: number, agent?: string): number {
    const before = this.acknowledged(agent);
    const what = `${tasks} more acknowledged tasks of ${agent ?? 'all agents'}`;
    return this.world.runUntil(() => this.acknowledged(agent) >= before + tasks, withinMs, what);
  }

  settle(withinMs = settleWithinMs): void {
    awaitSettled(this.world, this.agents, withinMs);
  }

  /** The end of a run: everything settles, every task gets its answer, and every state and history is judged. */
  finish(): void {
    const { world, workload } = this;
    this.settle();
    workload.stop();
    world.runUntil(() => workload.drained, settleWithinMs, 'an answer to every task');
    this.simulation.judge();
    const [undecided] = this.simulation.linearizable.undecided;
    if (undecided !== undefined) throw world.failure(undecided, new Violation('eventually-linearizable', undecided));
  }
}
