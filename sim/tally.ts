import type { AgentOutputs } from '../node/core/agent-outputs.ts';
import { decodeMerge } from '../node/core/merge-payload.ts';
import type { Answer, Program, ProgramContext, Running } from './program.ts';

/** State of the tally agent: how often each task took effect. */
export interface TallyState {
  counts: Record<string, number>;
}

export interface TallyTask {
  id: string;
  /** A task that it gives to another tally. */
  send?: { to: string; id: string; key?: string } | undefined;
  /** One that it gives itself later. */
  timer?: { afterMs: number; id: string } | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The autonomous agent of a run, with a merge that is exact: a task that is lost, or done twice, shows in the counts. */
export const tally: Program = {
  start: (_context: ProgramContext, state: Uint8Array | undefined): Running => new TallyInstance(state, true),
};

/** The same without a merge: what its branches do is part of its history, or a fork. */
export const plainTally: Program = {
  start: (_context: ProgramContext, state: Uint8Array | undefined): Running => new TallyInstance(state, false),
};

export const readTally = (state: Uint8Array): TallyState => JSON.parse(decoder.decode(state)) as TallyState;

function outputsOf({ send, timer }: TallyTask): Uint8Array | undefined {
  if (send === undefined && timer === undefined) return undefined;
  const outputs: AgentOutputs = { send: [], timers: [] };
  if (send !== undefined) {
    const { to, id, key } = send;
    outputs.send.push({ to, task: { id }, ...(key !== undefined && { key }) });
  }
  if (timer !== undefined) outputs.timers.push({ name: timer.id, afterMs: timer.afterMs, task: { id: timer.id } });
  return encoder.encode(JSON.stringify(outputs));
}

class TallyInstance implements Running {
  #counts: Record<string, number>;
  state: Uint8Array;
  readonly merge?: (payload: Uint8Array) => Answer;

  constructor(state: Uint8Array | undefined, merges: boolean) {
    this.#counts = state === undefined ? {} : readTally(state).counts;
    this.state = this.#encode();
    if (merges) this.merge = (payload) => this.#merge(payload);
  }

  handle(payload: Uint8Array): Answer {
    const { id, send, timer } = JSON.parse(decoder.decode(payload)) as TallyTask;
    const count = (this.#counts[id] ?? 0) + 1;
    this.#counts[id] = count;
    this.state = this.#encode();
    return {
      ok: true,
      value: encoder.encode(JSON.stringify({ count })),
      state: this.state,
      outputs: outputsOf({ id, send, timer }),
    };
  }

  /** What they counted since the base, but for what both did. */
  #merge(payload: Uint8Array): Answer {
    const { base, theirs, both } = decodeMerge(payload);
    const before = readTally(base).counts;
    const done = new Set(both);
    for (const [id, count] of Object.entries(readTally(theirs).counts)) {
      const since = count - (before[id] ?? 0);
      if (since > 0 && !done.has(id)) this.#counts[id] = (this.#counts[id] ?? 0) + since;
    }
    this.state = this.#encode();
    return { ok: true, value: encoder.encode('null'), state: this.state };
  }

  #encode(): Uint8Array {
    return encoder.encode(JSON.stringify({ counts: this.#counts }));
  }
}
