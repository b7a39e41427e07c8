import { joined } from '../node/core/bytes.ts';
import type { EffectOf } from '../node/core/effect.ts';
import type { Event } from '../node/core/event.ts';
import type { Instant } from '../node/core/node-init.ts';
import { changeBetween } from '../node/core/state-change.ts';
import { noWayBack, type VersionChange } from '../node/core/version-change.ts';
import type { Answer, Program, Running } from './program.ts';
import type { Random } from './random.ts';

export interface RunnerSettings {
  startMsMin: number;
  startMsMax: number;
  runMsMin: number;
  runMsMax: number;
  /** A task that takes longer ends its instance, as in production. */
  taskTimeoutMs: number;
  /** More of a state than this is told ahead, in pieces of this size. */
  aheadBytes: number;
}

export const defaultRunner: RunnerSettings = {
  startMsMin: 5,
  startMsMax: 60,
  runMsMin: 0.1,
  runMsMax: 3,
  taskTimeoutMs: 10_000,
  aheadBytes: 128 * 1024,
};

interface Instance {
  agent: string;
  epoch: number;
  /** Undefined until it has started. */
  running: Running | undefined;
  /** The checkpoint that the node knows. */
  told: Uint8Array;
  waiting: { task: string; payload: Uint8Array; merges: boolean; deadlineMs: number }[];
  /** The task that it is busy with. */
  task: string | undefined;
  /** Counts its tasks: what was planned for one that was given up does not happen. */
  turn: number;
  /** The task that it is busy with is not wanted any more. */
  cancelled: boolean;
  hangs: boolean;
  /** Its tasks take this many times as long. */
  slowness: number;
}

/** What the runner needs of the process that it lives in. */
export interface Process {
  /** Plans something; it happens only if the process still lives, and not while it stands still. */
  later(delayMs: number, run: () => void): void;
  feed(event: Event): void;
  /** By the clocks of the machine. */
  instant(): Instant;
  /** The code of an agent begins a task. */
  began(agent: string, task: string): void;
}

const nothing = new Uint8Array(0);
const givenUp = new TextEncoder().encode('{"reason":"it was given up on the way"}');
const waitingMax = 10_000;
/** To restore the state in what was made ready before. */
const preparedStartMs = 1;
const failedPreparations = 0.05;
const slowPreparations = 0.1;
const slowTimes = 100;
const keyOf = (agent: string, epoch: number): string => `${agent}#${epoch}`;

/** Runs simulated agent instances within one life of a node: they die with it. One task at a time per instance. */
export class SimRunner {
  readonly #process: Process;
  readonly #random: Random;
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #settings: RunnerSettings;
  readonly #instances = new Map<string, Instance>();
  /** Counts starts: one that starts again does not meet the same luck. */
  #starts = 0;
  /** What is made ready for agents that are to move here, by the migration. */
  readonly #prepared = new Map<string, { migration: number; source: string; isReady: boolean }>();
  /** Nothing more can be made ready here. */
  isFull = false;

  constructor(process: Process, random: Random, programs: ReadonlyMap<string, Program>, settings: RunnerSettings) {
    this.#process = process;
    this.#random = random;
    this.#programs = programs;
    this.#settings = settings;
  }

  /** Makes ready what an agent will run in. Now and then it cannot be done, or takes long. */
  prepare({ agent, agentType, source, migration }: EffectOf<'prepareAgent'>): void {
    const { startMsMin, startMsMax } = this.#settings;
    const prepared = { migration, source, isReady: false };
    this.#prepared.set(agent, prepared);
    const slowness = this.#random.chance(slowPreparations) ? slowTimes : 1;
    const fails = this.#random.chance(failedPreparations) || this.isFull || !this.#programs.has(agentType);
    this.#process.later(this.#random.between(startMsMin, startMsMax) * slowness, () => {
      if (this.#prepared.get(agent) !== prepared) return;
      prepared.isReady = !fails;
      if (fails) this.#prepared.delete(agent);
      const reason = fails ? `no thread for agent type "${agentType}"` : '';
      this.#process.feed({ type: 'agentPrepared', agent, migration, reason });
    });
  }

  release(agent: string, migration: number): void {
    if (this.#prepared.get(agent)?.migration === migration) this.#prepared.delete(agent);
  }

  /** What was made ready and neither taken nor released. */
  prepared(): string[] {
    return [...this.#prepared.keys()];
  }

  /** The instances that exist, started or starting. */
  instances(): { agent: string; epoch: number; task: string | undefined }[] {
    return [...this.#instances.values()].map(({ agent, epoch, task }) => ({ agent, epoch, task }));
  }

  start(order: EffectOf<'startAgent'>): void {
    const { agent, agentType, epoch, source, version, state: first, more = [], told, change } = order;
    const state = first && joined([first, ...more]);
    const program = this.#program(agentType, source);
    if (program === undefined) return this.#failLater(agent, epoch, `no code for agent type "${agentType}"`);
    const key = keyOf(agent, epoch);
    // As in production: one that is there makes way, and nothing more is heard of it.
    const instance: Instance = {
      agent,
      epoch,
      running: undefined,
      told: new Uint8Array(0),
      waiting: [],
      task: undefined,
      turn: 0,
      cancelled: false,
      hangs: false,
      slowness: 1,
    };
    this.#instances.set(key, instance);
    const { startMsMin, startMsMax } = this.#settings;
    const ready = this.#prepared.get(agent);
    // As in production: what was made ready for other code waits on.
    const wasReady = ready?.isReady === true && ready.source === source;
    if (wasReady) this.#prepared.delete(agent);
    const startMs = wasReady ? preparedStartMs : this.#random.between(startMsMin, startMsMax);
    this.#process.later(startMs, () => {
      if (this.#instances.get(key) !== instance) return;
      this.#starts += 1;
      const random = this.#random.fork(`${key} ${this.#starts}`);
      const wallMs = (): number => this.#process.instant().wallMs;
      const about = { type: agentType, ...(told ?? { agent, epoch }), ...(version !== undefined && { version }) };
      const context = { ...about, startedMs: wallMs(), wallMs, random: () => random.next() };
      const newer = change?.newer && this.#program(agentType, change.newer.source);
      const started = attempt(() => {
        const from = state && broughtBack(state.slice(), change, newer);
        return program.start(context, from, change);
      });
      if (!started.ok) return this.fail(agent, epoch, started.reason);
      instance.running = started.value;
      // What it was started from is what the node has, even where a checkpoint of it would be other bytes.
      const isTold = change === undefined && state !== undefined;
      instance.told = isTold ? state : started.value.state;
      // Of a large one nobody asks what it was started from.
      const isLarge = isTold && state.byteLength > this.#settings.aheadBytes;
      const rest = this.#tellAhead(agent, epoch, isLarge ? nothing : started.value.state);
      this.#process.feed({ type: 'agentStarted', agent, epoch, state: rest });
      this.#runNext(instance);
    });
  }

  #program(agentType: string, source: string): Program | undefined {
    const program = this.#programs.get(agentType);
    return program?.version?.(source) ?? program;
  }

  /** A task for an instance that is gone is dropped: its end was told or asked for, and whoever knows runs it again. */
  run({ agent, epoch, task, payload, merges = false, deadlineMs }: EffectOf<'runTask'>): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance === undefined) return;
    if (instance.waiting.length >= waitingMax) return this.fail(agent, epoch, 'too many tasks are waiting');
    instance.waiting.push({ task, payload: payload.slice(), merges, deadlineMs });
    this.#runNext(instance);
  }

  /** Gives those back that were not begun. */
  recall(agent: string, epoch: number): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance === undefined) return;
    const { waiting } = instance;
    instance.waiting = [];
    this.#return(
      instance,
      waiting.map(({ task }) => task),
    );
  }

  #return(instance: Instance, tasks: string[]): void {
    this.#process.later(0, () => {
      const { agent, epoch } = instance;
      if (this.#instances.get(keyOf(agent, epoch)) !== instance) return;
      this.#process.feed({ type: 'tasksReturned', agent, epoch, tasks });
    });
  }

  /** Some code lets itself be stopped in the middle of a task; the rest hears of it while it goes on. */
  cancel(agent: string, epoch: number, task: string): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance?.task !== task || instance.running === undefined || instance.hangs) return;
    instance.cancelled = true;
    if (!this.#random.chance(0.7)) return;
    this.#endTask(instance);
    // Like all that a runner tells it comes as an event of its own, never in the middle of the node's effects.
    this.#process.later(0, () => {
      const { epoch: now } = instance;
      if (this.#instances.get(keyOf(agent, now)) !== instance) return;
      this.#process.feed({ type: 'taskRan', agent, epoch: now, task, ok: false, value: givenUp, state: undefined });
      this.#runNext(instance);
    });
  }

  #endTask(instance: Instance): void {
    instance.task = undefined;
    instance.turn += 1;
  }

  stop(agent: string, epoch: number): void {
    this.#instances.delete(keyOf(agent, epoch));
  }

  /** What runs under an epoch goes on under another one. As in production nothing is told where it is gone. */
  renew(agent: string, from: number, epoch: number): void {
    const instance = this.#instances.get(keyOf(agent, from));
    if (instance === undefined) return;
    this.#instances.delete(keyOf(agent, from));
    instance.epoch = epoch;
    this.#instances.set(keyOf(agent, epoch), instance);
    instance.running?.renew?.(epoch);
  }

  /** What the code of an instance passes on as its fencing token; undefined where it has not started, or does not say. */
  token(agent: string, epoch: number): number | undefined {
    return this.#instances.get(keyOf(agent, epoch))?.running?.token;
  }

  /** The instance crashes. */
  fail(agent: string, epoch: number, reason: string): void {
    if (this.#instances.delete(keyOf(agent, epoch))) this.#failLater(agent, epoch, reason);
  }

  /** It never ends the task that it has, or the next one. */
  hang(agent: string, epoch: number): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance !== undefined) instance.hangs = true;
  }

  /** From now on its tasks take `times` as long. */
  slow(agent: string, epoch: number, times: number): void {
    const instance = this.#instances.get(keyOf(agent, epoch));
    if (instance !== undefined) instance.slowness = times;
  }

  #failLater(agent: string, epoch: number, reason: string): void {
    this.#process.later(0, () => this.#process.feed({ type: 'agentFailed', agent, epoch, reason }));
  }

  #runNext(instance: Instance): void {
    if (instance.task !== undefined || instance.running === undefined) return;
    const { nowMs } = this.#process.instant();
    const late: string[] = [];
    let next = instance.waiting.shift();
    for (; next !== undefined && next.deadlineMs <= nowMs; next = instance.waiting.shift()) late.push(next.task);
    if (late.length > 0) this.#return(instance, late);
    if (next === undefined) return;
    this.#begin(instance, next);
  }

  #begin(instance: Instance, next: Instance['waiting'][number]): void {
    this.#process.began(instance.agent, next.task);
    instance.task = next.task;
    instance.cancelled = false;
    const { runMsMin, runMsMax, taskTimeoutMs } = this.#settings;
    const { turn } = instance;
    const tookMs = this.#random.between(runMsMin, runMsMax) * instance.slowness;
    this.#process.later(Math.min(tookMs, taskTimeoutMs), () => {
      if (instance.turn !== turn) return;
      if (instance.hangs || tookMs >= taskTimeoutMs) this.#timeOut(instance, next.task, taskTimeoutMs - tookMs, turn);
      else this.#answer(instance, next);
    });
  }

  #timeOut(instance: Instance, task: string, afterMs: number, turn: number): void {
    this.#process.later(Math.max(0, afterMs), () => {
      const { agent, epoch } = instance;
      if (this.#instances.get(keyOf(agent, epoch)) !== instance || instance.turn !== turn) return;
      this.fail(agent, epoch, `it did not answer task ${task} within ${this.#settings.taskTimeoutMs} ms`);
    });
  }

  #answer(instance: Instance, { task, payload, merges }: Instance['waiting'][number]): void {
    const { agent, epoch, running } = instance;
    if (this.#instances.get(keyOf(agent, epoch)) !== instance || running === undefined) return;
    this.#endTask(instance);
    const answer = attempt(
      (): Answer =>
        merges ? (running.merge?.(payload) ?? cannotMerge(running)) : running.handle(payload, instance.cancelled, task),
    );
    if (!answer.ok) return this.fail(agent, epoch, answer.reason);
    const { ok, value, state, outputs, progress = [] } = answer.value;
    for (const told of progress) this.#process.feed({ type: 'taskProgress', agent, epoch, task, value: told });
    // As in production the node is told what changed.
    const change = ok ? changeBetween(instance.told, state) : undefined;
    if (ok) instance.told = state;
    const told = change && { ...change, inserted: this.#tellAhead(agent, epoch, change.inserted) };
    this.#process.feed({ type: 'taskRan', agent, epoch, task, ok, value, state: told, outputs });
    this.#runNext(instance);
  }

  /** As in production: what is large comes in pieces. Returns the last. */
  #tellAhead(agent: string, epoch: number, bytes: Uint8Array): Uint8Array {
    const { aheadBytes } = this.#settings;
    let at = 0;
    for (; bytes.byteLength - at > aheadBytes; at += aheadBytes) {
      this.#process.feed({ type: 'stateAhead', agent, epoch, bytes: bytes.slice(at, at + aheadBytes) });
    }
    return bytes.slice(at);
  }
}

const noMerge = new TextEncoder().encode('{"reason":"its code has no merge function"}');
const cannotMerge = ({ state }: Running): Answer => ({ ok: false, value: noMerge, state });
/** What the newer version makes of a state for an older one, by the rules of production. */
function broughtBack(state: Uint8Array, change: VersionChange | undefined, newer: Program | undefined): Uint8Array {
  if (change === undefined || change.to > change.from) return state;
  if (newer === undefined) throw new Error(`${noWayBack}: version ${change.from} is not kept any more`);
  if (newer.rollback !== undefined) return newer.rollback(state, change);
  if (newer.migrates === true) throw new Error(`${noWayBack}: version ${change.from} has migrate and no rollback`);
  return state;
}

/** What a node would have done by its runner. */
export const runnerEffects = (runner: () => SimRunner | undefined) => ({
  startAgent: (effect: EffectOf<'startAgent'>) => runner()?.start(effect),
  stopAgent: ({ agent, epoch }: EffectOf<'stopAgent'>) => runner()?.stop(agent, epoch),
  renewAgent: ({ agent, from, epoch }: EffectOf<'renewAgent'>) => runner()?.renew(agent, from, epoch),
  prepareAgent: (effect: EffectOf<'prepareAgent'>) => runner()?.prepare(effect),
  releaseAgent: ({ agent, migration }: EffectOf<'releaseAgent'>) => runner()?.release(agent, migration),
  runTask: (effect: EffectOf<'runTask'>) => runner()?.run(effect),
  recallTasks: ({ agent, epoch }: EffectOf<'recallTasks'>) => runner()?.recall(agent, epoch),
  cancelTask: ({ agent, epoch, task }: EffectOf<'cancelTask'>) => runner()?.cancel(agent, epoch, task),
});

type Attempt<T> = { ok: true; value: T } | { ok: false; reason: string };

function attempt<T>(run: () => T): Attempt<T> {
  try {
    return { ok: true, value: run() };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
