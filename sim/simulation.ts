import type { NodeId } from '../node/core/message.ts';
import { Node } from '../node/core/node.ts';
import type { Operation } from '../node/core/operation.ts';
import { AcceptedLosses } from './accepted-losses.ts';
import { AcknowledgedTasks } from './checkers/anytime-acknowledged-task.ts';
import { BranchAcknowledged } from './checkers/anytime-branch.ts';
import { OneLeaderPerTerm } from './checkers/anytime-one-leader-per-term.ts';
import type { Checker, Observer } from './checkers/checker.ts';
import { Linearizable } from './checkers/eventually-linearizable.ts';
import { Replayed } from './checkers/eventually-replayed.ts';
import { awaitSettled, type Settled } from './checkers/eventually-settled.ts';
import { checkersOf } from './checkers-of.ts';
import { counterUntil } from './counter.ts';
import { desk } from './desk.ts';
import { Desks } from './desks.ts';
import { Director } from './faults/director.ts';
import { Guests } from './guests.ts';
import { Ledger } from './ledger.ts';
import { Losses } from './losses.ts';
import { chooseMajority } from './majority.ts';
import { Operators } from './operators.ts';
import { isMet } from './picky.ts';
import { type Plan, worldOf } from './plan.ts';
import type { Program } from './program.ts';
import { Tallies } from './tallies.ts';
import { plainTally, tally } from './tally.ts';
import { Workload } from './workload.ts';
import { World } from './world.ts';

/** Bound within which everything must be as it should once the faults are over, ms of virtual time. */
export const settleWithinMs = 60_000;
const rolledOutWithinMs = 120_000;
const noticedMs = 3_000;
/** Whoever runs the containers starts one that ended after this long. */
const restartMs = 500;
const askAgainMs = 3_000;
const drainChance = 0.3;
const progressEveryMs = 5_000;

/**
 * One run of a plan. First faults strike; then a random majority that is enough is healed and every other fault made
 * permanent, and that majority must get on; then everything heals, and what the clients know is compared with what is.
 */
export class Simulation {
  readonly plan: Plan;
  readonly world: World;
  readonly ledger = new Ledger();
  readonly losses: Losses;
  readonly leaders = new OneLeaderPerTerm();
  readonly oracle = new AcknowledgedTasks();
  readonly linearizable: Linearizable;
  /** What operators gave up. */
  readonly accepted: AcceptedLosses;
  readonly workload: Workload;
  /** Users' agents, when the plan has some. */
  readonly guests: Guests | undefined;
  readonly tallies: Tallies | undefined;
  readonly desks: Desks | undefined;
  readonly operators: Operators;
  readonly director: Director;
  /** Called now and then with the virtual time, ms. */
  onProgress: ((virtualMs: number) => void) | undefined;
  /** Users' agents whose answers could not be compared with those of an undisturbed one, with the reason. */
  readonly notCompared: ReadonlyMap<string, string>;
  readonly #checkers: readonly Checker[];
  /** Healed: started again should they end, as those that were asked to stop just before do. */
  #healthy: ReadonlySet<NodeId> = new Set();
  /** Versions of the counter that were broken are not any more. */
  #isMended = false;
  /** Running, and for good without a way to the majority. */
  #cutOff: NodeId[] = [];

  constructor(plan: Plan, observers: readonly Observer[] = [], programs: Readonly<Record<string, Program>> = {}) {
    this.plan = plan;
    this.world = new World({
      ...worldOf(plan),
      programs: {
        counter: counterUntil(() => this.#isMended),
        tally,
        'plain-tally': plainTally,
        desk,
        booth: desk,
        ...programs,
      },
      createNode: (init) => new Node({ ...init, ...(plan.settings && { settings: plan.settings }) }),
    });
    const { world, ledger } = this;
    this.linearizable = new Linearizable(() => world.nowMs);
    this.losses = new Losses(world, ledger);
    this.accepted = new AcceptedLosses(world, {
      goBack: (agent, to) => {
        const again = this.oracle.goBack(agent, to?.state);
        this.linearizable.goBack(agent, to);
        for (const owner of again) this.linearizable.clients.leaveOut(owner);
      },
    });
    this.oracle.losses = this.accepted;
    this.linearizable.losses = this.accepted;
    this.workload = new Workload(world, this.oracle, plan.workload, this.linearizable.clients);
    this.operators = new Operators(world, this.linearizable.commands);
    this.director = new Director(world, this.losses, this.operators, (agent, door) =>
      this.workload.poke([agent], door),
    );
    this.guests = plan.guests && new Guests(world, plan.guests);
    const branches = new BranchAcknowledged((node) => world.clockMs(node), this.losses);
    this.tallies = plan.tallies && new Tallies(world, plan.tallies, branches);
    this.desks = plan.desks && new Desks(world, plan.desks, this);
    const program = this.guests && programs[this.guests.settings.type];
    const replayed = this.guests && program && new Replayed(world, this.guests, program);
    this.notCompared = replayed?.notCompared ?? new Map();
    this.#checkers = [...checkersOf(this), branches, ...(replayed ? [replayed] : [])];
    const supervisor = { ended: (node: NodeId) => this.#keepUp(node) };
    for (const observer of [ledger, this.accepted, ...this.#checkers, ...observers, supervisor]) world.watch(observer);
  }

  /** Throws a `WorldFailure` when a promise is broken, or when something throws that must not. */
  run(): void {
    this.begin();
    const endMs = this.world.nowMs + this.plan.faultsMs;
    while (this.world.nowMs < endMs) {
      this.world.run(Math.min(endMs, this.world.nowMs + progressEveryMs));
      this.onProgress?.(this.world.nowMs);
    }
    this.healMajority();
    this.healAll();
    this.judge();
  }

  /** Founds the cluster, deploys the agents, and lets the clients and the faults begin. */
  begin(): void {
    const { world, workload, director, plan, guests, tallies, desks } = this;
    world.act('phase', 'world', `${plan.nodes} nodes start, seed ${plan.seed}`);
    if (!plan.faultsFromStart) {
      this.#settle({ wanted: [] });
      workload.begin();
      guests?.begin();
      tallies?.begin();
      desks?.begin();
      world.runUntil(() => this.#isDeployed, settleWithinMs, 'the deployment of the agents', 'eventually-progress');
      this.#settle({ wanted: this.wanted() });
    } else {
      workload.begin();
      guests?.begin();
      tallies?.begin();
      desks?.begin();
    }
    world.act('phase', 'world', 'faults begin');
    director.begin(plan.strikes);
  }

  get #isDeployed(): boolean {
    return this.workload.deployed && this.#invited.every(({ deployed }) => deployed);
  }

  /** Beside the counters. */
  get #invited(): (Guests | Tallies | Desks)[] {
    return [this.guests, this.tallies, this.desks].flatMap((each) => each ?? []);
  }

  /** Agents that must run wherever their state can be had. */
  wanted(): string[] {
    const { workload, operators } = this;
    const { unsettled } = operators;
    const made = operators.existing.filter((agent) => !unsettled.includes(agent) && !this.#isLost(agent));
    const invited = this.#invited.flatMap((each) => (each.deployed ? each.agents : []));
    return [...(workload.deployed ? workload.agents : []), ...invited, ...made];
  }

  /** Damage on a disk shows at the next start only: until then it was given more to hold. */
  #isLost(agent: string): boolean {
    const record = this.ledger.agents.get(agent);
    return record !== undefined && !this.losses.isReachable(record, new Set(this.world.nodes));
  }

  // ---- a majority gets on alone ----

  /** Returns the nodes that were healed. */
  healMajority(): readonly NodeId[] {
    const { world, workload, operators, losses, ledger } = this;
    this.director.end();
    this.#isMended = true;
    const majority = chooseMajority(this);
    const healed = new Set(majority);
    world.act('phase', 'world', `${majority.join(', ')} heal; every other fault is permanent`);
    this.#makeHealthy(majority);
    this.#makeFaultsPermanent(world.nodes.filter((node) => !healed.has(node)));
    this.#speakTo(majority);
    this.#healWhoeverIsNeeded(majority, healed);
    const isReachable = (agent: string): boolean => {
      const record = ledger.agents.get(agent);
      return (record === undefined || losses.isReachable(record, healed)) && this.#isEligible(agent, healed);
    };
    const wanted = (): string[] => this.wanted().filter(isReachable);
    const excused = (): string[] => [
      ...this.wanted().filter((agent) => !isReachable(agent)),
      ...operators.unsettled,
      ...[workload, ...this.#invited].flatMap((each) => (each.deployed ? [] : each.agents)),
    ];
    this.#settle({ wanted, excused, nodes: majority });
    this.#expectProgress(() => workload.agents.filter(isReachable));
    return majority;
  }

  /** Clients that give poison again and again keep an agent failing. */
  #settle(settled: Settled): void {
    const mayFail = (this.plan.workload.poisonChance ?? 0) > 0;
    const lost = (): string[] => [...this.ledger.agents.keys()].filter((agent) => this.#isLost(agent));
    const excused = (): string[] => [...(settled.excused?.() ?? []), ...lost()];
    awaitSettled(this.world, { ...settled, excused, mayFail }, settleWithinMs);
  }

  /** Everybody outside speaks to these nodes from now on; to all of them when undefined. */
  #speakTo(doors: readonly NodeId[] | undefined): void {
    for (const each of [this.workload, this.operators, ...this.#invited]) each.doors = doors;
  }

  /** One of the nodes has what the agent needs, and room for it by what the log decided. */
  #isEligible(agent: string, nodes: ReadonlySet<NodeId>): boolean {
    const needs = this.operators.needs(agent);
    return [...nodes].some((node) => {
      // A draining node keeps an agent that nobody else can take for as long as it runs there, and takes none.
      const record = this.ledger.agents.get(agent);
      if (this.ledger.members.get(node)?.draining && (record?.placement?.host !== node || record.waits)) return false;
      const { capabilities, agentsMax } = this.world.host(node).profile;
      return needs.every((need) => isMet(need, capabilities)) && this.ledger.othersOn(node, agent) < agentsMax;
    });
  }

  /**
   * A leader that has not yet noticed whom it lost may have changed the voters meanwhile, so that these nodes are a
   * majority no longer. Then more of them heal.
   */
  #healWhoeverIsNeeded(majority: NodeId[], healed: Set<NodeId>): void {
    const { world, losses } = this;
    world.runFor(noticedMs);
    for (const node of world.nodes) {
      if (losses.isQuorum(healed)) return;
      if (healed.has(node) || losses.isLost(node)) continue;
      majority.push(node);
      healed.add(node);
      world.act('phase', 'world', `${node} heals, too: the voters were changed`);
      this.#makeHealthy(majority);
      this.#cutOff = this.#cutOff.filter((other) => other !== node);
      this.#cutThemOff();
    }
  }

  /** Every agent that can be reached acknowledges something new. */
  #expectProgress(agents: () => string[]): void {
    const { world, oracle, workload } = this;
    const before = new Map(workload.agents.map((agent) => [agent, oracle.acknowledgedCount(agent)]));
    workload.poke(agents());
    const isGettingOn = (agent: string): boolean => oracle.acknowledgedCount(agent) > (before.get(agent) ?? 0);
    const what = 'that every agent whose state can be had acknowledges a task';
    world.runUntil(() => agents().every(isGettingOn), settleWithinMs, what, 'eventually-progress');
  }

  #keepUp(node: NodeId): void {
    if (!this.#healthy.has(node)) return;
    this.world.timeline.after(restartMs, () => {
      if (this.world.host(node).state === 'off' && this.#healthy.has(node)) this.world.restart(node);
    });
  }

  #makeHealthy(nodes: readonly NodeId[]): void {
    const { world } = this;
    this.#healthy = new Set(nodes);
    world.network.calm();
    world.heal();
    for (const node of nodes) {
      const host = world.host(node);
      world.setDiskTrouble(node, undefined);
      host.disk.slowness = 1;
      host.serviceMs = 0;
      world.resume(node);
      if (host.runner !== undefined) host.runner.isFull = false;
      for (const { agent, epoch } of host.runner?.instances() ?? []) host.runner?.slow(agent, epoch, 1);
      if (host.state === 'off') world.restart(node);
    }
  }

  #makeFaultsPermanent(nodes: readonly NodeId[]): void {
    const { world } = this;
    const random = world.random.fork('permanent');
    for (const node of nodes) {
      const draw = random.next();
      if (draw < 0.4) {
        world.callOff(node);
        world.crash(node, 'silent');
      } else if (draw < 0.6 && world.host(node).state === 'running') world.pause(node);
      else this.#cutOff.push(node);
    }
    this.#cutThemOff();
  }

  /** All that are cut off stay together: they may be as many as the others but for one. */
  #cutThemOff(): void {
    const holds = this.world.random.fork('cut off').chance(0.5);
    if (this.#cutOff.length > 0) this.world.partition([this.#cutOff], holds ? 'held' : 'lost');
  }

  // ---- everything is well again ----

  healAll(): void {
    const { world, operators, losses } = this;
    world.act('phase', 'world', 'everything heals');
    for (const node of world.nodes) if (losses.isLost(node)) world.replace(node);
    this.#makeHealthy(world.nodes);
    this.#speakTo(undefined);
    this.#undoDrains();
    const known = (): boolean => operators.unsettled.length === 0 && this.#isDeployed;
    world.runUntil(known, settleWithinMs, 'an outcome of every command', 'eventually-progress');
    // Also where agents cannot be recovered any more: it ends without them.
    const isRolledOut = (): boolean => this.ledger.rollouts.size === 0;
    world.runUntil(isRolledOut, rolledOutWithinMs, 'the end of every rollout', 'eventually-rolled-out');
    this.#settle({ wanted: () => this.wanted() });
  }

  // ---- drains ----

  #draining(): NodeId[] {
    const { ledger, world } = this;
    const isOpen = (node: NodeId): boolean => ledger.members.get(node)?.draining === true && world.nodes.includes(node);
    return [...ledger.members.keys()].filter(isOpen);
  }

  #undoDrains(): void {
    this.#askUntil(
      () => this.#draining().map((node): Operation => ({ type: 'undrain', node })),
      'the end of every drain',
    );
  }

  /** Asks again and again, as operators do, until nothing is to be asked. */
  #askUntil(wanted: () => Operation[], what: string): void {
    const { world, operators } = this;
    let askMs = 0;
    const isOver = (): boolean => {
      const operations = wanted();
      if (operations.length > 0 && world.nowMs >= askMs) {
        askMs = world.nowMs + askAgainMs;
        for (const operation of operations) operators.ask(operation);
      }
      return operations.length === 0;
    };
    world.runUntil(isOver, settleWithinMs, what, 'eventually-progress');
  }

  /** With nothing wrong any more, a node that is drained has no agent after a while, and its leadership is another's. */
  #drainOne(): void {
    const { world, ledger, plan } = this;
    const random = world.random.fork('drained at the end');
    if (world.nodes.length < 2 || !random.chance(drainChance)) return;
    const node = random.pick(world.nodes);
    world.act('phase', 'world', `${node} is drained`);
    const isDraining = (): boolean => ledger.members.get(node)?.draining === true;
    this.#askUntil(() => (isDraining() ? [] : [{ type: 'drain', node }]), `the drain of ${node}`);
    const others = new Set(world.nodes.filter((other) => other !== node));
    const stuck = (): boolean =>
      [...ledger.agents].some(([agent, { placement }]) => placement?.host === node && this.#isEligible(agent, others));
    const hasGone = (): boolean =>
      !stuck() && (others.size < 2 || plan.nodes < 3 || this.leaders.leader?.node !== node);
    world.runUntil(hasGone, settleWithinMs, `that ${node} has no agent and does not lead`, 'eventually-drained');
    this.#settle({ wanted: () => this.wanted().filter((agent) => this.#isEligible(agent, new Set(world.nodes))) });
    this.#undoDrains();
    this.#settle({ wanted: () => this.wanted() });
  }

  #finishCheckers(): void {
    for (const checker of this.#checkers) {
      try {
        checker.finish?.();
      } catch (error) {
        throw this.world.failure(String(error), error);
      }
    }
  }

  /** Every task gets its answer, and every state is judged. */
  judge(): void {
    const { world, workload, tallies, desks } = this;
    this.#drainOne();
    const all = [workload, ...this.#invited];
    for (const each of all) each.stop();
    world.runUntil(
      () => all.every((each) => each.drained),
      settleWithinMs,
      'an answer to every task',
      'eventually-progress',
    );
    workload.judge(settleWithinMs);
    tallies?.judge(settleWithinMs);
    desks?.judge(settleWithinMs);
    this.#finishCheckers();
    this.#settle({ wanted: () => this.wanted() });
    world.act('phase', 'world', 'every promise held');
  }
}
