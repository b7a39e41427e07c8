import type { NodeId } from '../../node/core/message.ts';
import type { AgentView, StatusView } from '../../node/core/operation.ts';
import { keys } from '../../node/core/records.ts';
import { guarded } from '../guard.ts';
import type { Asked, World } from '../world.ts';
import { Violation } from './checker.ts';
import { holderOf } from './written.ts';

const name = 'eventually-settled';
const pollMs = 200;
const answersMs = 10;
const answerWithinMs = 1_000;

export interface Settled {
  /** Agents that must run, each once. A function when the answer may change meanwhile. */
  wanted: readonly string[] | (() => readonly string[]);
  /** Agents of which nobody can say whether they run. */
  excused?: () => readonly string[];
  /** Agents may be failing again and again just then, as long as they are there now and then. */
  mayFail?: boolean;
  /** Nodes that must agree; all that run when omitted. What others believe or run does not matter. */
  nodes?: readonly NodeId[];
}

/**
 * After the faults: one leader, equal member views, every wanted agent running exactly once on a living node, and no
 * instance that nobody wants. Returns how long it took, ms; throws with the last reason when it takes longer.
 */
export function awaitSettled(world: World, settled: Settled | readonly string[], withinMs: number): number {
  const expected: Settled = Array.isArray(settled) ? { wanted: settled } : (settled as Settled);
  // Guarded as a whole: to put up the guard for each of the short waits would cost more than they do.
  return guarded(() => poll(world, expected, withinMs));
}

function poll(world: World, expected: Settled, withinMs: number): number {
  const startMs = world.nowMs;
  let reason = 'nothing was asked';
  while (world.nowMs - startMs < withinMs) {
    const picture = new Picture(world, expected);
    const asked = picture.nodes.map((node) => world.request(node, { type: 'status' }));
    const endMs = world.nowMs + answerWithinMs;
    while (world.nowMs < endMs && asked.some(({ state }) => state === 'waiting')) world.runFor(answersMs);
    const wrong = picture.whatIsWrong(asked);
    if (wrong === undefined) return world.nowMs - startMs;
    reason = wrong;
    world.runFor(pollMs);
  }
  const text = `not settled within ${withinMs} ms: ${reason}`;
  throw world.failure(text, new Violation(name, text));
}

/** Whether an agent's state is kept on fewer sites, or machines, than there are for so many holders. */
function areTooClose({ nodes }: StatusView, { holders }: AgentView): boolean {
  // Who drains keeps what it has for a while, and takes nothing.
  if (nodes.some(({ status }) => status === 'draining')) return false;
  const active = nodes.filter(({ status }) => status === 'active');
  const held = active.filter(({ id }) => holders.includes(id));
  const areFew = (placeOf: (node: NodeView) => string): boolean =>
    new Set(held.map(placeOf)).size < Math.min(new Set(active.map(placeOf)).size, holders.length);
  return areFew(({ site }) => site) || areFew(({ site, machine, id }) => `${site} ${machine === '' ? id : machine}`);
}

type NodeView = StatusView['nodes'][number];

interface Step {
  epoch: number;
  sequence: number;
}

const isLater = (a: Step, b: Step): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.sequence > b.sequence);

/** What the world should look like, at one moment. */
class Picture {
  readonly nodes: readonly NodeId[];
  readonly #world: World;
  readonly #wanted: readonly string[];
  readonly #excused: readonly string[];
  readonly #mayFail: boolean;

  constructor(world: World, { wanted, excused, mayFail = false, nodes }: Settled) {
    this.#world = world;
    this.#mayFail = mayFail;
    this.nodes = nodes ?? world.running;
    this.#wanted = typeof wanted === 'function' ? wanted() : wanted;
    this.#excused = excused?.() ?? [];
  }

  whatIsWrong(asked: readonly Asked[]): string | undefined {
    const views: StatusView[] = [];
    for (const { node, outcome } of asked) {
      if (outcome?.ok !== true) return `${node} does not tell its status`;
      views.push(outcome.result as StatusView);
    }
    const [first] = views;
    if (first === undefined) return 'no node runs';
    const picture = this.#pictureOf(first);
    for (const view of views) {
      const problem = this.#whatIsWrongIn(view);
      if (problem !== undefined) return `${view.self}: ${problem}`;
      const other = this.#pictureOf(view);
      if (other !== picture) return `${first.self} sees ${picture}, ${view.self} sees ${other}`;
    }
    return this.#whatIsWrongWithInstances(first);
  }

  /** What all nodes must agree on. */
  #pictureOf(view: StatusView): string {
    const members = view.nodes.map(({ id, membership, voter }) => `${id} ${membership}${voter ? ' voter' : ''}`).sort();
    const agents = view.agents
      .filter(({ id }) => !this.#excused.includes(id))
      .map(({ id, host, epoch }) => `${id} on ${host} in ${epoch}`)
      .sort();
    return [`leader ${view.leader?.id} of term ${view.leader?.term}`, ...members, ...agents].join(', ');
  }

  #whatIsWrongIn(view: StatusView): string | undefined {
    if (view.mode !== 'quorum') return 'it hears no majority';
    if (view.leader === undefined || !this.nodes.includes(view.leader.id)) return `leader ${view.leader?.id} is away`;
    for (const node of this.nodes) {
      const seen = view.nodes.find(({ id }) => id === node);
      if (seen?.status !== 'active' && seen?.status !== 'draining')
        return `it sees ${node}, which runs, as ${seen?.status}`;
    }
    for (const { id, membership } of view.nodes) {
      if (membership === 'alive' && !this.nodes.includes(id)) return `it sees ${id}, which is away, as alive`;
    }
    for (const id of this.#wanted) {
      const agent = view.agents.find((candidate) => candidate.id === id);
      const isWell = agent?.status === 'active' || (this.#mayFail && agent?.status === 'crash_looping');
      if (!isWell) return `agent ${id} is ${agent?.status ?? 'unknown'}: ${agent?.reason}`;
    }
    // Who gets another version stays on its host; `eventually-rolled-out` says until when.
    const moves = ({ host, migration }: AgentView): boolean => migration !== undefined && migration.target !== host;
    const moving = view.agents.find((agent) => moves(agent) && !this.#excused.includes(agent.id));
    if (moving !== undefined) return `agent ${moving.id} is still on its way to ${moving.migration?.target}`;
    const together = view.agents.find((agent) => this.#wanted.includes(agent.id) && areTooClose(view, agent));
    if (together !== undefined)
      return `the holders of ${together.id} are on fewer sites or machines than there could be`;
    const others = view.agents.filter(({ id }) => !this.#wanted.includes(id) && !this.#excused.includes(id));
    return others.length > 0 ? `agents that nobody wants: ${others.map(({ id }) => id).join(', ')}` : undefined;
  }

  /** A node keeps states of those agents alone of which it is a holder, or is about to be. */
  #strayState({ agents }: StatusView): string | undefined {
    for (const node of this.nodes) {
      const { disk } = this.#world.host(node);
      for (const { id, holders, migration, loss, status, epoch: now } of agents) {
        if (status !== 'active' || holders.includes(node) || migration?.target === node) continue;
        const record = disk.read(keys.holder(id));
        const { epoch, sequence } = record === undefined ? { epoch: 0, sequence: 0 } : holderOf(record);
        const isGivenUp = loss !== undefined && epoch < now && isLater({ epoch, sequence }, loss);
        if (epoch > 0 && !isGivenUp) return `${node} keeps a state of ${id}, of which it is no holder`;
      }
    }
    return undefined;
  }

  #whatIsWrongWithInstances(view: StatusView): string | undefined {
    const instances = this.#world.instances().filter(({ node }) => this.nodes.includes(node));
    for (const id of this.#wanted) {
      const there = instances.filter(({ agent }) => agent === id);
      const host = view.agents.find((agent) => agent.id === id)?.host;
      if (there.length !== 1 || there[0]?.node !== host) {
        return `instances of ${id}: ${there.map(({ node, epoch }) => `${node} in ${epoch}`).join(', ') || 'none'}`;
      }
    }
    const orphan = instances.find(({ agent }) => !this.#wanted.includes(agent) && !this.#excused.includes(agent));
    for (const node of this.nodes) {
      const [kept] = this.#world.host(node).runner?.prepared() ?? [];
      if (kept !== undefined) return `${node} keeps what it made ready for ${kept}, which does not come`;
    }
    const stray = this.#strayState(view);
    if (stray !== undefined) return stray;
    return orphan && `an instance of ${orphan.agent} runs on ${orphan.node}, nobody wants it`;
  }
}
