import type { ErrorCode } from '../node/core/errors.ts';
import type { NodeId } from '../node/core/message.ts';
import type { Operation, Outcome } from '../node/core/operation.ts';
import { anyCode, sourceOf } from './counter-code.ts';
import { pickyNeed } from './picky.ts';
import type { Random } from './random.ts';
import { retried } from './retried.ts';
import type { World } from './world.ts';

/** One by one, and two together. */
const deployStrategies = [
  'round_robin',
  'least_loaded',
  'capability_match',
  'resource_optimal',
  'affinity_based',
  'least_loaded=0.7,affinity_based=0.3',
];

/** What became of a command: done, or refused for a reason that is known. */
export type CommandResult = 'ok' | ErrorCode;

/** Told of every command about an agent's name, once it is sent and once its outcome is known. */
export interface CommandLog {
  called(name: string, command: Command): number;
  returned(id: number, result: CommandResult): void;
  /** Nobody waits for it any more; it may take effect later, or never. */
  unknown(id: number): void;
}

export type Command = { type: 'deploy'; request: string } | { type: 'delete' };

/** Agents that operators make and remove, beside those that the clients work with. */
const namesMax = 4;

const askedAgain: ReadonlySet<ErrorCode> = new Set([...retried, 'typeUpgrading'] as const);

/** Operators who deploy and delete agents, and ask again, as a user would, until they know what became of it. */
export class Operators {
  readonly #world: World;
  readonly #random: Random;
  readonly #log: CommandLog | undefined;
  readonly #busy = new Set<string>();
  readonly #existing = new Set<string>();
  /** Nodes that operators speak to; all of them when undefined. */
  doors: readonly NodeId[] | undefined;
  #count = 0;
  /** Versions of the counters that were asked for. */
  #versions = 0;

  constructor(world: World, log?: CommandLog) {
    this.#world = world;
    this.#random = world.random.fork('operators');
    this.#log = log;
  }

  /** Agents that exist by what the operators were told. Exact but for the `unsettled`. */
  get existing(): string[] {
    return [...this.#existing];
  }

  /** Agents about which a command waits for its outcome. */
  get unsettled(): string[] {
    return [...this.#busy];
  }

  /** Capabilities that an agent needs of its host: one of the names stands for a type that is picky. */
  needs(agent: string): string[] {
    return agent === `extra-${namesMax}` ? [pickyNeed] : [];
  }

  deploy(): void {
    const free = Array.from({ length: namesMax }, (_, i) => `extra-${i + 1}`).filter((name) => !this.#busy.has(name));
    if (free.length === 0) return;
    const name = this.#random.pick(free);
    const capabilities = this.needs(name);
    const request = `deploy-${++this.#count}`;
    const holders = this.#random.pick([1, 2, 3, 3]);
    const operation: Operation = {
      type: 'deploy',
      request,
      agentType: 'counter',
      // Once there are versions, new agents are to get the present one.
      ...(this.#versions === 0 && { source: 'simulated' }),
      name,
      count: 1,
      strategy: this.#random.pick(deployStrategies),
      capabilities,
      holders,
    };
    this.#world.act('fault', 'world', `an operator deploys ${name} with ${holders} holders`);
    this.#command(name, { type: 'deploy', request }, operation, (result) => {
      if (result === 'ok') this.#existing.add(name);
    });
  }

  remove(): void {
    const names = this.existing.filter((name) => !this.#busy.has(name));
    if (names.length === 0) return;
    const name = this.#random.pick(names);
    this.#world.act('fault', 'world', `an operator deletes ${name}`);
    this.#command(name, { type: 'delete' }, { type: 'delete', agent: name }, (result) => {
      if (result === 'ok' || result === 'agentUnknown') this.#existing.delete(name);
    });
  }

  upgrade(random: Random): void {
    const agentType = 'counter';
    const rules = { maxFailures: random.pick([0, 1, 3]), settleMs: random.pick([20, 300, 2_000]) };
    const isBack = random.chance(0.15);
    const code = anyCode(random, ++this.#versions);
    const text = isBack ? 'the version before' : JSON.stringify(code);
    this.#world.act('fault', 'world', `an operator rolls out ${text} with ${JSON.stringify(rules)}`);
    this.ask({ type: 'upgrade', agentType, ...(isBack ? { previous: true } : { source: sourceOf(code) }), ...rules });
  }

  cancelUpgrade(): void {
    this.#world.act('fault', 'world', 'an operator takes the rollout back');
    this.ask({ type: 'cancelUpgrade', agentType: 'counter' });
  }

  /** Asks any node, once: whether it came to anything, the log says. */
  ask(operation: Operation): void {
    const node = this.#anyNode();
    if (node !== undefined) this.#world.request(node, operation);
  }

  #command(name: string, command: Command, operation: Operation, done: (result: CommandResult) => void): void {
    this.#busy.add(name);
    let id = this.#log?.called(name, command) ?? 0;
    let over = false;
    let unknown = 0;
    /** Tries that a node may still carry out. */
    const open = new Set<object>();
    const existed = this.#existing.has(name);
    const finish = (result: CommandResult | undefined): boolean => {
      if (over) return true;
      if (result !== undefined && isFinal(command, result, unknown > 0, existed && open.size === 0)) {
        over = true;
        this.#busy.delete(name);
        this.#log?.returned(id, result);
        done(result);
        return true;
      }
      unknown += 1;
      if (command.type === 'delete') {
        // It has no id by which a second one would be the same: each try is a command of its own.
        this.#log?.unknown(id);
        id = this.#log?.called(name, command) ?? 0;
      }
      return false;
    };
    const asking: Asking = { open, isOver: () => over, finish };
    this.#attempt(operation, asking);
    // Sometimes by two doors at once, as an impatient user does.
    if (command.type === 'delete' || !this.#random.chance(0.2)) return;
    unknown += 1;
    this.#attempt(operation, asking);
  }

  #attempt(operation: Operation, asking: Asking): void {
    const { open, finish } = asking;
    const again = (): void =>
      this.#world.timeline.after(this.#random.between(100, 400), () => {
        // Another door may have given the last word meanwhile.
        if (!asking.isOver()) this.#attempt(operation, asking);
      });
    const node = this.#anyNode();
    if (node === undefined) return again();
    let over = false;
    const attempt = {};
    open.add(attempt);
    this.#world.request(node, operation, ({ outcome }) => {
      open.delete(attempt);
      if (over) return;
      over = true;
      if (!finish(resultOf(outcome))) again();
    });
    // A paused node says nothing at all.
    this.#world.timeline.after(patienceMs, () => {
      if (over) return;
      over = true;
      if (!finish(undefined)) again();
    });
  }

  #anyNode(): NodeId | undefined {
    const there = (this.doors ?? this.#world.nodes).filter((node) => this.#world.host(node).state !== 'off');
    return there.length === 0 ? undefined : this.#random.pick(there);
  }
}

/** One command, by however many doors and tries. */
interface Asking {
  /** Tries that a node may still carry out. */
  open: Set<object>;
  isOver(): boolean;
  /** Says whether that was enough. */
  finish(result: CommandResult | undefined): boolean;
}

/** Longer than a node takes to say that it does not know. */
const patienceMs = 17_000;

/**
 * Whether an answer ends the command as a whole: not when an earlier try, whose answer was lost, may yet take effect;
 * the node that was asked goes on trying by itself. `existed`: what is to be deployed was there already, and no such try
 * is left, so that it is there for good.
 */
function isFinal({ type }: Command, result: CommandResult, triedBefore: boolean, existed: boolean): boolean {
  if (!triedBefore || result === 'ok') return true;
  return type === 'delete' ? result === 'agentUnknown' : existed && result === 'agentExists';
}

/** Undefined when it may or may not have taken effect. */
function resultOf(outcome: Outcome | undefined): CommandResult | undefined {
  if (outcome === undefined) return undefined;
  if (outcome.ok) return 'ok';
  return askedAgain.has(outcome.error.code) ? undefined : outcome.error.code;
}
