import type { Context } from './context.ts';
import type { NodeId } from './message.ts';
import type { Operation, Outcome, Results, TaskOperation } from './operation.ts';
import { encodeOperation } from './operation-codec.ts';
import type { Peers } from './peers.ts';
import { limits } from './settings.ts';
import { taskPriorityDefault } from './tasks.ts';

export type AtDoor = Extract<Operation, { type: 'doorTasks' }>;
type Told = Results['doorTasks'];

/** What doors said in time. */
export interface Heard {
  told: { door: NodeId; waiting: number; first: Told['first'] }[];
  /** How many of those who should did not, or could not be asked. */
  silent: number;
}

interface Round {
  asked: AtDoor;
  waits: Set<NodeId>;
  told: Heard['told'];
  answered: Set<NodeId>;
  /** Who is to answer, where that is not everybody. */
  among: readonly NodeId[] | undefined;
  untilMs: number;
  done(heard: Heard): void;
}

interface DoorsInit {
  peers: Pick<Peers, 'connected' | 'isConnected'>;
  /** Nodes that tasks may wait at. */
  alive(): NodeId[];
  /** What waits at this node. */
  here(asked: AtDoor): Told;
}

/** Longer than an answer takes, unless something is wrong with who is to give it. */
const patienceMs = 500;
/** Rounds under way; beyond them this node alone says what it has, and all others count as silent. */
const roundsMax = 64;
const prefix = 'door/';

/**
 * What waits at the nodes that were asked: a task with a key stays there until the one before it is answered, so its
 * agent's host does not know of it. Only for those who look or cancel it asks them.
 */
export class Doors {
  readonly #context: Context;
  readonly #init: DoorsInit;
  readonly #rounds = new Map<string, Round>();
  #count = 0;

  constructor(context: Context, init: DoorsInit) {
    this.#context = context;
    this.#init = init;
  }

  /** What waits for an agent, or of a task whether it does, at this node and at all that it is connected to. */
  ask(agent: string, task: string, done: (heard: Heard) => void): void {
    this.#begin({ type: 'doorTasks', agent, task, cancelled: false }, undefined, done);
  }

  /**
   * The task is cancelled: whoever waits for it at one of these, or at any without their names, is told so. Who is silent
   * may still have it.
   */
  end(agent: string, task: string, doors: readonly NodeId[] | undefined, done: (heard: Heard) => void): void {
    this.#begin({ type: 'doorTasks', agent, task, cancelled: true }, doors, done);
  }

  #begin(asked: AtDoor, among: readonly NodeId[] | undefined, done: (heard: Heard) => void): void {
    const { self, out, start, nowMs } = this.#context;
    const { peers, here } = this.#init;
    const others = (among ?? [...peers.connected()]).filter((node) => node !== self && peers.isConnected(node));
    const waits = new Set(this.#rounds.size < roundsMax ? others : []);
    const { waiting, first } = here(asked);
    const told = waiting > 0 ? [{ door: self, waiting, first }] : [];
    const round: Round = { asked, waits, told, answered: new Set([self]), among, untilMs: nowMs + patienceMs, done };
    this.#count += 1;
    // Not by the boot, which may come again.
    const request = `${prefix}${start}-${this.#count}`;
    if (waits.size === 0) return this.#end(request, round);
    this.#rounds.set(request, round);
    const body = { request, operation: encodeOperation(asked), session: '', serial: 0, lowest: 0 };
    for (const node of waits) out.sendUrgent(node, { type: 'forward', body });
  }

  /** False: it is the answer to something else. */
  onAnswer(from: NodeId, request: string, outcome: Outcome | undefined): boolean {
    if (!request.startsWith(prefix)) return false;
    const round = this.#rounds.get(request);
    if (round === undefined || !round.waits.delete(from)) return true;
    // Nodes of versions before this one say that they do not understand.
    const none = { agent: round.asked.agent, waiting: 0, first: [] };
    const told = outcome?.ok === false ? none : toldIn(outcome?.result, round.asked.agent);
    if (told !== undefined) {
      round.answered.add(from);
      if (told.waiting > 0) round.told.push({ door: from, waiting: told.waiting, first: told.first });
    }
    if (round.waits.size === 0) this.#end(request, round);
    return true;
  }

  onDisconnected(node: NodeId): void {
    for (const [request, round] of this.#rounds) {
      if (round.waits.delete(node) && round.waits.size === 0) this.#end(request, round);
    }
  }

  tick(): void {
    for (const [request, round] of this.#rounds) {
      if (this.#context.nowMs >= round.untilMs) this.#end(request, round);
    }
  }

  #end(request: string, { told, answered, among, done }: Round): void {
    this.#rounds.delete(request);
    const silent = (among ?? this.#init.alive()).filter((node) => !answered.has(node));
    done({ told, silent: silent.length });
  }
}

/** What a door says, as far as it makes sense. */
function toldIn(said: unknown, agent: string): Told | undefined {
  const told = said as Partial<Told> | undefined;
  const waiting = told?.waiting;
  if (told?.agent !== agent || !Number.isSafeInteger(waiting) || Number(waiting) < 0) return undefined;
  if (!Array.isArray(told.first)) return undefined;
  const first = (told.first as unknown[]).slice(0, limits.tasksListedMax).flatMap(listedIn);
  return { agent, waiting: Number(waiting), first };
}

function listedIn(said: unknown): Told['first'] {
  const { task, priority, key } = (said ?? {}) as Partial<Told['first'][number]>;
  const isListed = typeof task === 'string' && Number.isSafeInteger(priority) && typeof key === 'string';
  return isListed ? [{ task, priority: Number(priority), key }] : [];
}

/** Whether it is that task; without an id any of the agent. */
export const isTaskOf = (operation: Operation, agent: string, task: string): boolean =>
  operation.type === 'task' && operation.agent === agent && (task === '' || operation.task === task);

/** How many these are, and the first of them. */
export function toldOf(agent: string, waiting: readonly { operation: Operation }[]): Told {
  const first = waiting.slice(0, limits.tasksListedMax).map(({ operation }) => {
    const { task, priority = taskPriorityDefault, key = '' } = operation as TaskOperation;
    return { task, priority, key };
  });
  return { agent, waiting: waiting.length, first };
}
