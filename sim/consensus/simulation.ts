import type { NodeId } from '../../node/core/message.ts';
import type { NodeInit } from '../../node/core/node.ts';
import { DurableBeforeSaid } from '../checkers/anytime-durable-before-said.ts';
import { OneLeaderPerTerm } from '../checkers/anytime-one-leader-per-term.ts';
import { SameLog } from '../checkers/anytime-same-log.ts';
import { Director } from '../faults/director.ts';
import type { SimNode } from '../host.ts';
import { Ledger } from '../ledger.ts';
import { Losses } from '../losses.ts';
import { Operators } from '../operators.ts';
import type { Plan } from '../plan.ts';
import { Random } from '../random.ts';
import { World } from '../world.ts';
import { AcknowledgedCommands } from './acknowledged-commands.ts';
import { Clients } from './clients.ts';
import { Members } from './members.ts';
import { ConsensusNode } from './node.ts';
import { type ConsensusSettings, drawSettings } from './settings.ts';

/**
 * Once the faults are over, every client gets on and every node has the whole log within this, ms of virtual time. Most
 * of it is for connections: a dial that began during a cut is tried again after seconds only, as in TCP.
 */
export const progressWithinMs = 20_000;
const progress = 'eventually-progress';
const progressEveryMs = 5_000;

/** One voter of a cluster; a test puts one with a mistake in its place. */
export type CreateVoter = (init: NodeInit, founders: readonly NodeId[], settings: ConsensusSettings) => SimNode;

/**
 * One run of a plan with consensus alone: faults strike while clients put commands into the log; then everything heals,
 * all must get on, and what the clients were told is compared with the log that is on every disk.
 */
export class ConsensusSimulation {
  readonly plan: Plan;
  readonly world: World;
  readonly leaders = new OneLeaderPerTerm();
  readonly commands = new AcknowledgedCommands();
  readonly clients: Clients;
  readonly director: Director;
  readonly members: Members;
  readonly losses: Losses;
  /** Called now and then with the virtual time, ms. */
  onProgress: ((virtualMs: number) => void) | undefined;

  constructor(plan: Plan, createVoter: CreateVoter = (...given) => new ConsensusNode(...given)) {
    const voters = Array.from({ length: plan.nodes }, (_, i) => `n${i + 1}`);
    const settings = drawSettings(new Random(plan.seed).fork('consensus settings'));
    this.plan = plan;
    this.world = new World({
      seed: plan.seed,
      nodes: plan.nodes,
      startSpreadMs: plan.startSpreadMs,
      ...(plan.gatherMsMax !== undefined && { gatherMsMax: plan.gatherMsMax }),
      clockOffsetMsMax: plan.clockOffsetMsMax,
      clockDriftMax: plan.clockDriftMax,
      network: plan.network,
      disk: plan.disk,
      createNode: (init) => createVoter(init, voters, settings),
    });
    const { world, commands } = this;
    const disk = (node: NodeId, key: string): Uint8Array | undefined => world.host(node).disk.read(key);
    const ledger = new Ledger();
    this.members = new Members(world, (node) => this.losses.isLost(node));
    const checkers = [ledger, this.members, this.leaders, new SameLog(), new DurableBeforeSaid(disk), commands];
    for (const checker of checkers) world.watch(checker);
    const { clients, thinkMsMin, thinkMsMax } = plan.workload;
    this.clients = new Clients(world, commands, {
      ...(clients !== undefined && { clients }),
      ...(thinkMsMin !== undefined && { thinkMsMin }),
      ...(thinkMsMax !== undefined && { thinkMsMax }),
    });
    this.losses = new Losses(world, ledger, () => this.members.inQuestion);
    this.director = new Director(world, this.losses, new Operators(world));
  }

  /** Throws a `WorldFailure` when a promise is broken, or when something throws that must not. */
  run(): void {
    this.begin();
    const endMs = this.world.nowMs + this.plan.faultsMs;
    while (this.world.nowMs < endMs) {
      this.world.run(Math.min(endMs, this.world.nowMs + progressEveryMs));
      this.onProgress?.(this.world.nowMs);
    }
    this.heal();
    this.judge();
  }

  /** The nodes start and elect a leader, unless there are faults from the start; clients and faults begin. */
  begin(): void {
    const { world, plan, commands } = this;
    world.act('phase', 'world', `${plan.nodes} nodes start, seed ${plan.seed}`);
    this.clients.begin();
    if (!plan.faultsFromStart) {
      world.runUntil(
        () => commands.acknowledgedCount > 0,
        progressWithinMs + plan.startSpreadMs,
        'a command',
        progress,
      );
    }
    world.act('phase', 'world', 'faults begin');
    // Where nothing is to go wrong nobody comes or goes either.
    if (plan.strikes.length > 0) this.members.begin();
    this.director.begin(plan.strikes);
  }

  /** The faults are over for good; every client must get on, and every node reach the present end of the log. */
  heal(): void {
    const { world, clients, commands, losses, members } = this;
    this.director.end();
    world.act('phase', 'world', 'everything heals');
    members.calm();
    world.network.calm();
    world.heal();
    for (const node of world.nodes) if (losses.isLost(node)) world.replace(node);
    for (const node of world.nodes) this.#makeHealthy(node);
    world.runUntil(() => members.isWhole, progressWithinMs, 'that everybody is a member and nobody lost is', progress);
    const { done } = clients;
    const { length } = commands;
    const isGettingOn = (): boolean => clients.done.every((count, i) => count > (done[i] ?? 0));
    const what = 'that every client gets on and every node has what was committed before';
    world.runUntil(() => this.#reaches(length) && isGettingOn(), progressWithinMs, what, progress);
  }

  #makeHealthy(node: NodeId): void {
    const { world } = this;
    const host = world.host(node);
    world.setDiskTrouble(node, undefined);
    host.disk.slowness = 1;
    host.serviceMs = 0;
    world.resume(node);
    if (host.state === 'off') world.restart(node);
  }

  /** Every node has applied the log up to there. */
  #reaches(index: number): boolean {
    return this.members.nodes.every((node) => this.commands.applied(node) >= index);
  }

  /** Every command gets its answer, and every log is judged. */
  judge(): void {
    const { world, clients, commands } = this;
    clients.stop();
    world.runUntil(() => clients.drained, progressWithinMs, 'an acknowledgement of every command', progress);
    const { length } = commands;
    world.runUntil(() => this.#reaches(length), progressWithinMs, 'the whole log at every node', progress);
    try {
      for (const node of this.members.nodes) commands.judge(node, world.host(node).disk.load(), length);
    } catch (error) {
      throw world.failure(String(error), error);
    }
    world.act('phase', 'world', 'every promise held');
  }
}
