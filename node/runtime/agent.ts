/** What an agent is told about itself. `epoch` is its fencing token: pass it on to outside systems. */
export interface AgentContext {
  agent: string;
  type: string;
  epoch: number;
}

/** What `handle` gives back: the state to go on from, and what the sender of the task is told (JSON). */
export interface Handled<State, Result> {
  state: State;
  result: Result;
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
  handle(state: State, task: Task, context: AgentContext): Handled<State, Result> | Promise<Handled<State, Result>>;
  /** The state as bytes, to be kept by the holders. Called after every task; must be matched by `restore`. */
  checkpoint?(state: State): Uint8Array;
  /** The reverse of `checkpoint`: on another node, after a failure, and when a task was refused. */
  restore?(bytes: Uint8Array, context: AgentContext): State | Promise<State>;
  /** Joins two histories that a partition drove apart since `base`. */
  merge?(base: State, ours: State, theirs: State): State;
}

/** Gives an agent module its types; changes nothing. */
export function defineAgent<State, Task = unknown, Result = unknown>(
  module: AgentModule<State, Task, Result>,
): AgentModule<State, Task, Result> {
  return module;
}
