import { AcknowledgedTasks } from '../../sim/checkers/anytime-acknowledged-task.ts';
import { OneCluster } from '../../sim/checkers/anytime-one-cluster.ts';
import { OneLeaderPerTerm } from '../../sim/checkers/anytime-one-leader-per-term.ts';
import { SameLog } from '../../sim/checkers/anytime-same-log.ts';
import { awaitSettled } from '../../sim/checkers/eventually-settled.ts';
import { counter, Workload, type WorkloadSettings } from '../../sim/workload.ts';
import { World, type WorldOptions } from '../../sim/world.ts';

export const settleWithinMs = 30_000;

/** A world of production nodes with every checker watching, and counter agents with their clients. */
export class Cluster {
  readonly world: World;
  readonly leaders = new OneLeaderPerTerm();
  readonly log = new SameLog();
  readonly oracle = new AcknowledgedTasks();
  readonly workload: Workload;

  constructor(seed: string, options: Partial<WorldOptions> = {}, workload: Partial<WorkloadSettings> = {}) {
    this.world = new World({
      seed,
      nodes: 5,
      startSpreadMs: 300,
      clockOffsetMsMax: 60_000,
      behaviours: { counter },
      checkers: [this.leaders, new OneCluster(), this.log],
      ...options,
    });
    this.workload = new Workload(this.world, this.oracle, workload);
  }

  /** Founds, deploys the counters and lets the clients begin. Returns this. */
  begin(): this {
    awaitSettled(this.world, [], settleWithinMs);
    this.workload.deploy(settleWithinMs);
    this.workload.start();
    awaitSettled(this.world, this.workload.agents, settleWithinMs);
    return this;
  }

  get leader(): string {
    const { leader } = this.leaders;
    if (leader === undefined) throw this.world.failure('nobody led yet');
    return leader.node;
  }

  /** The node that runs an agent; throws when there is not exactly one. */
  hostOf(agent: string): string {
    const [instance, ...others] = this.world.instances().filter((one) => one.agent === agent);
    if (instance === undefined || others.length > 0) throw this.world.failure(`${agent} has not one instance`);
    return instance.node;
  }

  /** Runs until this many more tasks are acknowledged; returns how long that took, ms. */
  progress(tasks: number, withinMs: number, agent?: string): number {
    const before = this.oracle.acknowledgedCount(agent);
    const what = `${tasks} more acknowledged tasks of ${agent ?? 'all agents'}`;
    return this.world.runUntil(() => this.oracle.acknowledgedCount(agent) >= before + tasks, withinMs, what);
  }

  /** The end of a run: everything settles, every task gets its answer, and every state is judged. */
  finish(): void {
    awaitSettled(this.world, this.workload.agents, settleWithinMs);
    this.workload.stop();
    this.world.runUntil(() => this.workload.drained, settleWithinMs, 'an answer to every task');
    this.workload.judge(settleWithinMs);
    awaitSettled(this.world, this.workload.agents, settleWithinMs);
  }
}
