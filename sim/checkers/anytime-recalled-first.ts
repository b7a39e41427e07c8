import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { NodeId } from '../../node/core/message.ts';
import { type Checker, Violation } from './checker.ts';

interface Given {
  tasks: Set<string>;
  isRecalled: boolean;
}

/**
 * What a host asked back from an agent's code it waits for before it gives it anything else, unless the code is at nothing:
 * else that would overtake what comes back, however urgent this is.
 */
export class RecalledFirst implements Checker {
  readonly name = 'anytime-recalled-first';
  /** By node and agent: what its code was given and has not answered. */
  readonly #given = new Map<string, Given>();

  happened(node: NodeId, event: Event): void {
    if (event.type === 'agentFailed') this.#given.delete(keyOf(node, event.agent));
    else if (event.type === 'taskRan') this.#given.get(keyOf(node, event.agent))?.tasks.delete(event.task);
    else if (event.type === 'tasksReturned') {
      const given = this.#given.get(keyOf(node, event.agent));
      if (given === undefined) return;
      for (const task of event.tasks) given.tasks.delete(task);
      given.isRecalled = false;
    }
  }

  did(node: NodeId, effect: Effect): void {
    if (effect.type === 'startAgent' || effect.type === 'stopAgent') this.#given.delete(keyOf(node, effect.agent));
    else if (effect.type === 'recallTasks') {
      const given = this.#given.get(keyOf(node, effect.agent));
      if (given !== undefined) given.isRecalled = true;
    } else if (effect.type === 'runTask') this.#give(node, effect.agent, effect.task);
  }

  ended(node: NodeId): void {
    for (const key of this.#given.keys()) if (key.startsWith(`${node} `)) this.#given.delete(key);
  }

  #give(node: NodeId, agent: string, task: string): void {
    const key = keyOf(node, agent);
    const given = this.#given.get(key) ?? { tasks: new Set(), isRecalled: false };
    if (given.isRecalled && given.tasks.size > 0) {
      const asked = [...given.tasks].join(', ');
      throw new Violation(
        this.name,
        `${node} gives ${agent} ${task} while it waits for what it asked back of ${asked}`,
      );
    }
    given.tasks.add(task);
    this.#given.set(key, given);
  }
}

const keyOf = (node: NodeId, agent: string): string => `${node} ${agent}`;
