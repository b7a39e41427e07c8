import type { Address, AgentOutputs, TimerSetting } from '../node/core/agent-outputs.ts';
import type { Answer, Program, ProgramContext, Running } from './program.ts';

/** How often a timer that comes again and again did. */
export interface Occasions {
  count: number;
  /** The number of the last one. */
  last: number;
  /** One came that was not later than the last. */
  doubled: boolean;
}

/** State of the desk agent: how often each task took effect, and which timer each name stands for. */
export interface DeskState {
  counts: Record<string, number>;
  occasions: Record<string, Occasions>;
  timers: Record<string, string>;
}

/** A timer that a task sets or, without an `id`, takes back. */
export interface DeskTimer {
  name: string;
  id?: string;
  afterMs?: number;
  atMs?: number;
  everyMs?: number;
}

export interface DeskTask {
  id: string;
  /** It comes again and again, by a timer. */
  again?: true;
  /** What it gives others. */
  send?: { to: Address; id: string };
  timer?: DeskTimer;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An agent that gives others tasks by type, by key and by topic, and itself by all kinds of timers. */
export const desk: Program = {
  start: (_context: ProgramContext, state: Uint8Array | undefined): Running => new DeskInstance(state),
};

export const readDesk = (state: Uint8Array): DeskState => JSON.parse(decoder.decode(state)) as DeskState;

/** Of the occasions of one timer, each under an id of its own. */
const occasionOf = (task: string): number => Number(/\.(\d+)$/.exec(task)?.[1] ?? 0);

class DeskInstance implements Running {
  readonly #state: DeskState;
  state: Uint8Array;

  constructor(state: Uint8Array | undefined) {
    this.#state = state === undefined ? { counts: {}, occasions: {}, timers: {} } : readDesk(state);
    this.state = this.#encode();
  }

  handle(payload: Uint8Array, _cancelled?: boolean, task = ''): Answer {
    const { id, again, send, timer } = JSON.parse(decoder.decode(payload)) as DeskTask;
    if (again) this.#occur(id, occasionOf(task));
    else this.#state.counts[id] = (this.#state.counts[id] ?? 0) + 1;
    const outputs: AgentOutputs = { send: [], timers: [] };
    if (send !== undefined) outputs.send.push({ to: send.to, task: { id: send.id } });
    if (timer !== undefined) outputs.timers.push(this.#set(timer));
    this.state = this.#encode();
    const isMore = send !== undefined || timer !== undefined;
    return {
      ...{ ok: true, value: encoder.encode('null'), state: this.state },
      ...(isMore && { outputs: encoder.encode(JSON.stringify(outputs)) }),
    };
  }

  #occur(id: string, number: number): void {
    const known = this.#state.occasions[id];
    this.#state.occasions[id] = {
      count: (known?.count ?? 0) + 1,
      last: number,
      doubled: known !== undefined && (known.doubled || number <= known.last),
    };
  }

  #set({ name, id, ...times }: DeskTimer): TimerSetting {
    if (id === undefined) {
      delete this.#state.timers[name];
      return { name, cancel: true };
    }
    this.#state.timers[name] = id;
    return { name, ...times, task: { id, ...(times.everyMs !== undefined && { again: true }) } };
  }

  #encode(): Uint8Array {
    return encoder.encode(JSON.stringify(this.#state));
  }
}
