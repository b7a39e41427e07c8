import type { EffectOf } from '../node/core/effect.ts';
import type { Event } from '../node/core/event.ts';
import type { Random } from './random.ts';

/** An agent's code as pure functions over JSON, in the manner of a user's module. A task that throws is refused. */
export interface Behaviour {
  init(): unknown;
  handle(state: unknown, payload: unknown): { state: unknown; value: unknown };
}

export interface RunnerSettings {
  startMsMin: number;
  startMsMax: number;
  runMsMin: number;
  runMsMax: number;
}

export const defaultRunner: RunnerSettings = { startMsMin: 5, startMsMax: 60, runMsMin: 0.1, runMsMax: 3 };

interface Instance {
  agent: string;
  epoch: number;
  behaviour: Behaviour;
  /** Undefined until it has started. */
  state: string | undefined;
  waiting: { task: string; payload: Uint8Array }[];
  busy: boolean;
}

/** What the runner needs of the process that it lives in. */
export interface Process {
  /** Plans something; it happens only if the process still lives, and not while it stands still. */
  later(delayMs: number, run: () => void): void;
  feed(event: Event): void;
}

const waitingMax = 10_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const keyOf = (agent: string, epoch: number): string => `${agent}#${epoch}`;

/** Runs simulated agent instances within one life of a node: they die with it. One task at a time per instance. */
export class SimRunner {
  readonly #process: Process;
  readonly #random: Random;
  readonly #behaviours: ReadonlyMap<string, Behaviour>;
  readonly #settings: RunnerSettings;
  readonly #instances = new Map<string, Instance>();

  constructor(process: Process, random: Random, behaviours: ReadonlyMap<string, Behaviour>, settings: RunnerSettings) {
    this.#process = process;
    this.#random = random;
    this.#behaviours = behaviours;
    this.#settings = settings;
  }

  /** The instances that exist, started or starting. */
  instances(): { agent: string; epoch: number }[] {
    return [...this.#instances.values()].map(({ agent, epoch }) => ({ agent, epoch }));
  }

  start({ agent, agentType, epoch, state }: EffectOf<'startAgent'>): void {
    const behaviour = this.#behaviours.get(agentType);
    if (behaviour === undefined) return this.#failLater(agent, epoch, `no code for agent type "${agentType}"`);
    const key = keyOf(agent, epoch);
    if (this.#instances.has(key)) return this.#failLater(agent, epoch, 'the instance exists already');
    const instance: Instance = { agent, epoch, behaviour, state: undefined, waiting: [], busy: false };
    this.#instances.set(key, instance);
    this.#process.later(this.#random.between(this.#settings.startMsMin, this.#settings.startMsMax), () => {
      if (this.#instances.get(key) !== instance) return;
      instance.state = state === undefined ? JSON.stringify(behaviour.init()) : decoder.decode(state);
      this.#process.feed({ type: 'agentStarted', agent, epoch, state: encoder.encode(instance.state) });
      this.#runNext(instance);
    });
  }

  run({ agent, epoch, task, payload }: EffectOf<'runTask'>): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance === undefined) return this.#failLater(agent, epoch, 'there is no such instance');
    if (instance.waiting.length >= waitingMax) return this.fail(agent, epoch, 'too many tasks are waiting');
    instance.waiting.push({ task, payload: payload.slice() });
    this.#runNext(instance);
  }

  stop(agent: string, epoch: number): void {
    this.#instances.delete(keyOf(agent, epoch));
  }

  /** The instance crashes. */
  fail(agent: string, epoch: number, reason: string): void {
    if (this.#instances.delete(keyOf(agent, epoch))) this.#failLater(agent, epoch, reason);
  }

  #failLater(agent: string, epoch: number, reason: string): void {
    this.#process.later(0, () => this.#process.feed({ type: 'agentFailed', agent, epoch, reason }));
  }

  #runNext(instance: Instance): void {
    const { agent, epoch, behaviour } = instance;
    if (instance.busy || instance.state === undefined) return;
    const next = instance.waiting.shift();
    if (next === undefined) return;
    instance.busy = true;
    this.#process.later(this.#random.between(this.#settings.runMsMin, this.#settings.runMsMax), () => {
      if (this.#instances.get(keyOf(agent, epoch)) !== instance) return;
      instance.busy = false;
      const before = instance.state ?? 'null';
      const answer = attempt(behaviour, before, next.payload);
      instance.state = answer.state;
      const { ok } = answer;
      const value = encoder.encode(answer.value);
      const state = encoder.encode(answer.state);
      this.#process.feed({ type: 'taskRan', agent, epoch, task: next.task, ok, value, state });
      this.#runNext(instance);
    });
  }
}

/** A task that throws leaves the state as it was. */
function attempt(
  behaviour: Behaviour,
  state: string,
  payload: Uint8Array,
): { ok: boolean; value: string; state: string } {
  try {
    const after = behaviour.handle(JSON.parse(state), JSON.parse(decoder.decode(payload)));
    return { ok: true, value: JSON.stringify(after.value), state: JSON.stringify(after.state) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, value: JSON.stringify({ reason }), state };
  }
}
