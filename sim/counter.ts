import type { AgentOutputs } from '../node/core/agent-outputs.ts';
import type { VersionChange } from '../node/core/version-change.ts';
import { type CounterCode, codeOf, formAfterStart } from './counter-code.ts';
import type { Answer, Program, ProgramContext, Running } from './program.ts';
import type { Derived } from './sent-task.ts';

/** State of the counter agent: how often each serial took effect, and the sum. */
export interface CounterState {
  total: number;
  counts: Record<string, number>;
  /** The version whose form it has; the first when omitted. */
  form?: number;
}

interface CounterTask extends Derived {
  serial: unknown;
  /** How likely it ends whatever runs it. */
  poison?: number;
  /** An agent gave it, to another one or to itself. */
  isMail?: boolean;
  /** In the answer to what this agent sent to another one. */
  reply?: { serial: number };
  ok?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The agent that the simulator deploys of its own: its clients know what each answer and each state may be. */
export const counter: Program = counterUntil(() => false);

/** The same, whose versions are broken, if they are, until then; what a task may end does not end it any more. */
export function counterUntil(isMended: () => boolean): Program {
  return programOf(codeOf(''), isMended);
}

function programOf(code: CounterCode, isMended: () => boolean): Program {
  const breaks = (): CounterCode['breaks'] => (isMended() ? undefined : code.breaks);
  return {
    start: (context, state, change): Running => new CounterInstance({ code, breaks, isMended }, context, state, change),
    version: (source) => programOf(codeOf(source), isMended),
    migrates: code.migrates,
    ...(code.reverses && { rollback }),
  };
}

function rollback(state: Uint8Array, { to: form }: VersionChange): Uint8Array {
  return encoder.encode(JSON.stringify({ ...(form > 1 && { form }), ...withoutForm(state) }));
}

function withoutForm(state: Uint8Array): CounterState {
  const { form: _, ...rest } = JSON.parse(decoder.decode(state)) as CounterState;
  return rest;
}

/** One counter with its memory. */
class CounterInstance implements Running {
  #total = 0;
  readonly #counts = new Map<string, number>();
  state: Uint8Array;
  token: number;

  readonly #breaks: () => CounterCode['breaks'];
  readonly #isMended: () => boolean;
  readonly #context: ProgramContext;
  readonly #form: number;

  constructor(
    { code, breaks, isMended }: { code: CounterCode; breaks: () => CounterCode['breaks']; isMended: () => boolean },
    context: ProgramContext,
    state: Uint8Array | undefined,
    change: VersionChange | undefined,
  ) {
    this.#breaks = breaks;
    this.#isMended = isMended;
    this.#context = context;
    this.token = context.epoch;
    const { version = 1 } = context;
    this.#form = code.migrates ? version : 1;
    if (breaks() === 'start' && state === undefined) throw new Error('init failed: it is broken');
    if (state !== undefined) {
      const { total, counts, form } = JSON.parse(decoder.decode(state)) as CounterState;
      this.#form = formAfterStart(code, breaks(), version, { ...(form !== undefined && { form }) }, change);
      this.#total = total;
      for (const [serial, count] of Object.entries(counts)) this.#counts.set(serial, count);
    }
    this.state = this.#encode();
  }

  renew(epoch: number): void {
    this.token = epoch;
  }

  handle(payload: Uint8Array): Answer {
    const task = JSON.parse(decoder.decode(payload)) as CounterTask;
    const { poison, send, timer } = task;
    // Clients try again what was set aside; nobody does so for what agents give each other and themselves.
    if (task.isMail !== true && task.reply === undefined) {
      if (this.#breaks() === 'refuses') return { ok: false, value: refusal('it takes no task'), state: this.state };
      this.#break();
    }
    // The answer to what it sent to another one says what is to be counted here.
    const serial = task.reply?.serial ?? task.serial;
    const isFatal = poison !== undefined && this.#context.random() < poison;
    if (isFatal && (poison === 1 || !this.#isMended())) throw new Error('it cannot take this');
    if (typeof serial !== 'number' || task.ok === false) {
      return { ok: false, value: refusal('serial must be a number'), state: this.state };
    }
    this.#total += 1;
    this.#counts.set(String(serial), (this.#counts.get(String(serial)) ?? 0) + 1);
    this.state = this.#encode();
    const outputs = send === undefined && timer === undefined ? undefined : outputsOf(serial, task);
    return { ok: true, value: encoder.encode(`{"total":${this.#total}}`), state: this.state, outputs };
  }

  #break(): void {
    const breaks = this.#breaks();
    const isNow = breaks === 'tasks' || (breaks === 'later' && this.#context.random() < 0.1);
    if (isNow) throw new Error('it is broken');
  }

  /** What a task changes stands at the end, so that it is a small change of a state that grows. */
  #encode(): Uint8Array {
    const form = this.#form > 1 ? { form: this.#form } : {};
    const counts = Object.fromEntries(this.#counts);
    return encoder.encode(JSON.stringify({ ...form, counts, total: this.#total }));
  }
}

const refusal = (reason: string): Uint8Array => encoder.encode(JSON.stringify({ reason }));

function outputsOf(serial: number, { send, timer }: CounterTask): Uint8Array {
  const outputs: AgentOutputs = { send: [], timers: [] };
  if (send !== undefined) {
    const { to, serial: counted, reply } = send;
    outputs.send.push({
      to,
      task: { serial: counted, isMail: true },
      ...(reply !== undefined && { reply: { serial: reply } }),
    });
  }
  if (timer !== undefined) {
    outputs.timers.push({
      name: `timer-${serial}`,
      afterMs: timer.afterMs,
      task: { serial: timer.serial, isMail: true },
    });
  }
  return encoder.encode(JSON.stringify(outputs));
}
