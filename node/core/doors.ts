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
  /** How many did not. */
  silent: number;
}

interface Round {
  waits: Set<NodeId>;
  heard: Heard;
  untilMs: number;
  done(heard: Heard): void;
}

/** Longer than an answer takes, unless something is wrong with who is to give it. */
const patienceMs = 500;
/** Rounds under way; beyond them this node alone says what it has. */
const roundsMax = 64;
const prefix = 'door/';

/**
 * What waits at the nodes that were asked: a task with a key stays there until the one before it is answered, so its
 * agent's host does not know of it. Only for those who look or cancel it asks them.
 */
export class Doors {
  readonly #context: Context;
  readonly #peers: Pick<Peers, 'connected'>;
  readonly #here: (asked: AtDoor) => Told;
  readonly #rounds = new Map<string, Round>();
  #count = 0;

  /** `here`: what waits at this node. */
  constructor(context: Context, peers: Pick<Peers, 'connected'>, here: (asked: AtDoor) => Told) {
    this.#context = context;
    this.#peers = peers;
    this.#here = here;
  }

  /** What waits for an agent, or of a task whether it does, at this node and at all that it is connected to. */
  ask(agent: string, task: string, done: (heard: Heard) => void): void {
    const { self, out, boot, nowMs } = this.#context;
    const asked: AtDoor = { type: 'doorTasks', agent, task, cancelled: false };
    const waits = new Set(this.#rounds.size < roundsMax ? this.#peers.connected() : []);
    const { waiting, first } = this.#here(asked);
    const heard: Heard = { told: waiting > 0 ? [{ door: self, waiting, first }] : [], silent: 0 };
    if (waits.size === 0) return done(heard);
    this.#count += 1;
    const request = `${prefix}${self.slice(-8)}-${boot}-${this.#count}`;
    this.#rounds.set(request, { waits, heard, untilMs: nowMs + patienceMs, done });
    const body = { request, operation: encodeOperation(asked), session: '', serial: 0, lowest: 0 };
    for (const node of waits) out.sendUrgent(node, { type: 'forward', body });
  }

  /** The task is cancelled: whoever waits for it at one of these is told so at once, and else when its turn comes. */
  end(agent: string, task: string, doors: readonly NodeId[]): void {
    const { self, out } = this.#context;
    const asked: AtDoor = { type: 'doorTasks', agent, task, cancelled: true };
    const body = { request: `${prefix}end`, operation: encodeOperation(asked), session: '', serial: 0, lowest: 0 };
    for (const node of doors) {
      if (node === self) this.#here(asked);
      else out.send(node, { type: 'forward', body });
    }
  }

  /** False: it is the answer to something else. */
  onAnswer(from: NodeId, request: string, outcome: Outcome | undefined): boolean {
    if (!request.startsWith(prefix)) return false;
    const round = this.#rounds.get(request);
    if (round === undefined || !round.waits.delete(from)) return true;
    // Nodes of versions before this one say that they do not understand.
    const told = outcome?.ok === true ? (outcome.result as Partial<Told>) : { waiting: 0, first: [] };
    if (!Number.isSafeInteger(told.waiting) || !Array.isArray(told.first)) round.heard.silent += 1;
    else if (Number(told.waiting) > 0)
      round.heard.told.push({ door: from, waiting: Number(told.waiting), first: told.first });
    if (round.waits.size === 0) this.#end(request, round);
    return true;
  }

  onDisconnected(node: NodeId): void {
    for (const [request, round] of this.#rounds) {
      if (!round.waits.delete(node)) continue;
      round.heard.silent += 1;
      if (round.waits.size === 0) this.#end(request, round);
    }
  }

  tick(): void {
    for (const [request, round] of this.#rounds) {
      if (this.#context.nowMs < round.untilMs) continue;
      round.heard.silent += round.waits.size;
      this.#end(request, round);
    }
  }

  #end(request: string, { heard, done }: Round): void {
    this.#rounds.delete(request);
    done(heard);
  }
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
