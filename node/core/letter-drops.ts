import type { Address } from './agent-outputs.ts';
import { type Context, reportLocally } from './context.ts';

/** Told of one agent at one host within a minute; of the others how many they were, with the first one after it. */
export const dropsToldMax = 8;
const spanMs = 60_000;

/** A task that an agent gave to others and that comes to nothing, though nobody waits for its answer. */
export interface Dropped {
  /** Of a letter that was on its way: its id. */
  task?: string;
  to: Address;
  /** As in errors. */
  code: string;
  message: string;
}

/** Tells operators what of an agent's letters was dropped: the agent itself, which wants no answers, never hears of it. */
export class LetterDrops {
  readonly #context: Context;
  readonly #agent: string;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #told = 0;
  #untold = 0;

  constructor(context: Context, agent: string) {
    this.#context = context;
    this.#agent = agent;
  }

  tell({ task, to, code, message }: Dropped): void {
    const { nowMs } = this.#context;
    if (nowMs - this.#sinceMs >= spanMs) {
      this.#sinceMs = nowMs;
      this.#told = 0;
    }
    if (this.#told >= dropsToldMax) {
      this.#untold += 1;
      return;
    }
    this.#told += 1;
    const text = `what ${this.#agent} sent to ${nameOf(to)} is dropped: ${message}`;
    const more = this.#untold > 0 ? { untold: this.#untold } : {};
    this.#untold = 0;
    reportLocally(this.#context, 'letterDropped', text, {
      ...{ agent: this.#agent, to: nameOf(to), code },
      ...(task !== undefined && { task }),
      ...more,
    });
  }
}

function nameOf(to: Address): string {
  if (typeof to === 'string') return to;
  if ('topic' in to) return `topic ${to.topic}`;
  return to.key === undefined ? `type ${to.type}` : `type ${to.type}, key ${to.key}`;
}
