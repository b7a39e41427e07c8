import type { Operation } from './operation.ts';
import { limits } from './settings.ts';

/**
 * How much of what users ask may wait at this node. Tasks take no room from the rest, and of the room for tasks an agent
 * gets no more than is free after that: slow agents, however many, leave some to the others.
 */
export class RequestRoom {
  #others = 0;
  #tasks = 0;
  readonly #ofAgent = new Map<string, number>();

  /** Undefined when there is room. */
  whatIsFull(operation: Operation): { what: string; max: number } | undefined {
    const { forwardsPendingMax, tasksPendingMax, agentEntryMax } = limits;
    if (operation.type !== 'task') {
      return this.#others < forwardsPendingMax ? undefined : { what: 'requests at this node', max: forwardsPendingMax };
    }
    const { agent } = operation;
    const max = Math.min(agentEntryMax, tasksPendingMax - this.#tasks);
    if ((this.#ofAgent.get(agent) ?? 0) < max) return undefined;
    return { what: `tasks of agent ${agent} at this node`, max };
  }

  enter(operation: Operation): void {
    this.#add(operation, 1);
  }

  leave(operation: Operation): void {
    this.#add(operation, -1);
  }

  #add(operation: Operation, change: number): void {
    if (operation.type !== 'task') {
      this.#others += change;
      return;
    }
    this.#tasks += change;
    const count = (this.#ofAgent.get(operation.agent) ?? 0) + change;
    if (count > 0) this.#ofAgent.set(operation.agent, count);
    else this.#ofAgent.delete(operation.agent);
  }
}
