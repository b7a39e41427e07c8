import type { Sending, TimerSetting } from '../core/agent-outputs.ts';

/**
 * What an agent is told about itself. `epoch` is its fencing token: pass it on to outside systems. It may grow from task to
 * task: read it from what each is given.
 */
export interface AgentContext {
  agent: string;
  type: string;
  epoch: number;
}

/** Versions of a type are numbered from 1. */
export interface AgentVersions {
  from: number;
  to: number;
}

/** What `handle` is told beside its task. */
export interface TaskContext extends AgentContext {
  /** The same at every try of the task, on whatever host: by it an outside system knows what it was given before. */
  readonly taskId: string;
  /** Aborted when whoever gave the task wants it no more. To go on is allowed: the task ends as it always does. */
  readonly signal: AbortSignal;
  /**
   * Tells whoever waits for the task something before it is done: JSON of at most 64 KiB, at most 100 times a second;
   * what is more is dropped, and so is everything after the task's end. Throws a `TypeError` for anything else.
   */
  progress(value: unknown): void;
}

/** What `merge` is told beside the states. */
export interface MergeContext extends AgentContext {
  /** The branch's id. */
  readonly branch: string;
  /** Ids of the tasks that both sides did: their effect is in `ours` and in `theirs`, and is wanted once. */
  readonly both: readonly string[];
}

/** What `handle` gives back: the state to go on from, and what the sender of the task is told (JSON). */
export interface Handled<State, Result> {
  state: State;
  result: Result;
  /** Tasks for other agents. They leave once this step cannot be lost, and each takes effect once. */
  send?: Sending[];
  /** Tasks for this agent at other times. They outlive hosts. */
  timers?: TimerSetting[];
}

/**
 * The contract of an agent's code: the default export of one self-contained ES module. The state is plain JSON unless
 * `checkpoint` and `restore` say otherwise; a task and its result are always JSON.
 */
export interface AgentModule<State, Task = unknown, Result = unknown> {
  /** The state of a new agent. A throw means that the agent cannot start. */
  init(context: AgentContext): State | Promise<State>;
  /**
   * Takes one task; the next one waits until this one is done. It may change `state` in place or return a new one. A
   * throw refuses the task: its message goes to the sender, and the agent goes on from the state before it.
   */
  handle(state: State, task: Task, context: TaskContext): Handled<State, Result> | Promise<Handled<State, Result>>;
  /** The state as bytes, to be kept by the holders. Called after every task; must be matched by `restore`. */
  checkpoint?(state: State): Uint8Array;
  /** The reverse of `checkpoint`: on another node, after a failure, and when a task was refused. */
  restore?(bytes: Uint8Array, context: AgentContext): State | Promise<State>;
  /**
   * Brings what an older version of the code kept to the form of this one: its JSON or, where this one has `restore`, its
   * bytes. Called at every start until a task has gone well, or the upgrade has; a throw ends the upgrade. Without it the
   * state is taken as it is.
   */
  migrate?(kept: never, versions: AgentVersions): State | Promise<State>;
  /**
   * The reverse, for when this version turns out to be no good: what the older one would keep, as JSON or bytes. Without it
   * an agent that has worked goes back only where this one has no `migrate`, or where `restore` of the older one takes it.
   */
  rollback?(state: State, versions: AgentVersions): unknown;
  /**
   * Joins two histories that a partition drove apart since `base`: `ours` is the majority's, `theirs` the branch's. It may
   * change `ours` in place or return a new one. Without it, or when it throws, the branch is kept beside it as a fork.
   */
  merge?(base: State, ours: State, theirs: State, context: MergeContext): State | Promise<State>;
}

/** Gives an agent module its types; changes nothing. */
export function defineAgent<State, Task = unknown, Result = unknown>(
  module: AgentModule<State, Task, Result>,
): AgentModule<State, Task, Result> {
  return module;
}
