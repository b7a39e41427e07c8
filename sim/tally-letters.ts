import { Violation } from './checkers/checker.ts';
import type { TallyTask } from './tally.ts';
import type { World } from './world.ts';

interface Sent {
  /** The task with which an agent gives it, and the agent. */
  by: string;
  from: string;
  to: string;
}

const name = 'eventually-reconciled';
const prefix = 'letter-';
/** One agent's letters to another go by so many ways. */
const lanes = 3;

/**
 * What the autonomous agents of a run give each other. Where the task that sends it is part of the sender's history it
 * arrives, whichever side did that; where it is in a fork alone, or nowhere, it does not.
 */
export class TallyLetters {
  readonly #sent = new Map<string, Sent>();
  readonly #counts = new Map<string, Record<string, number>>();
  /** How many branches an agent had: each side that did a task sends for itself. */
  readonly #branches = new Map<string, number>();
  /** What ended its hosts too often, for other reasons, does not take effect. */
  readonly #setAside = new Set<string>();

  constructor(world: World) {
    world.watch({
      reported: (_node, { kind, details }) => {
        if (kind === 'taskSetAside') this.#setAside.add(String(details['agent']));
      },
    });
  }

  add(by: string, from: string, to: string): NonNullable<TallyTask['send']> {
    const id = `${prefix}${by}`;
    this.#sent.set(id, { by, from, to });
    // Some overtake others.
    return { to, id, key: `lane-${this.#sent.size % lanes}` };
  }

  has(id: string): boolean {
    return id.startsWith(prefix);
  }

  /** What an agent's state has in the end, and how many branches it had. */
  learn(agent: string, counts: Record<string, number>, branches?: number): void {
    this.#counts.set(agent, counts);
    if (branches !== undefined) this.#branches.set(agent, branches);
  }

  /** Throws at what should not have arrived. */
  check(): void {
    for (const [agent, counts] of this.#counts) {
      for (const [id, count] of Object.entries(counts)) if (this.has(id)) this.#compare(agent, id, count);
    }
  }

  #compare(agent: string, id: string, count: number): void {
    const { by, from, to } = this.#sent.get(id) ?? { by: '', from: '', to: '' };
    if (to !== agent) throw new Violation(name, `${agent} counted ${id}, which is not its`);
    const most = 1 + (this.#branches.get(from) ?? 0);
    if (count > most) throw new Violation(name, `${agent} counted ${id} ${count} times, at most ${most}`);
    if (this.#counts.get(from)?.[by] === undefined)
      throw new Violation(name, `${agent} counted ${id}, and ${from} never did ${by} that sends it`);
  }

  /** Something that has not arrived yet. */
  missing(): string | undefined {
    for (const [id, { by, from, to }] of this.#sent) {
      if (this.#counts.get(from)?.[by] !== 1 || this.#counts.get(to)?.[id] !== undefined) continue;
      if (!this.#setAside.has(to)) return `${to} did not get ${id} of ${from}`;
    }
    return undefined;
  }
}
