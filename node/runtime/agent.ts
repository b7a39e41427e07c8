/** What an agent is told about itself. `epoch` is its fencing token: pass it on to outside systems. */
export interface AgentContext {
  agent: string;
  type: string;
  epoch: number;
}

/**
 * The contract of an agent's code: the default export of one ES module. The state is plain JSON unless `checkpoint`
 * and `restore` say otherwise.
 */
export interface AgentModule<State, Task = unknown, Result = unknown> {
  /** The state of a new agent. */
  init(context: AgentContext): State | Promise<State>;
  /** Takes one task. A throw refuses it, and the state stays as it was. */
  handle(
    state: State,
    task: Task,
    context: AgentContext,
  ): { state: State; result: Result } | Promise<{ state: State; result: Result }>;
  /** The state as bytes, to be kept by the holders. */
  checkpoint?(state: State): Uint8Array;
  /** The reverse of `checkpoint`. */
  restore?(bytes: Uint8Array, context: AgentContext): State | Promise<State>;
  /** Joins two histories that a partition drove apart. */
  merge?(base: State, ours: State, theirs: State): State;
}

/** Gives an agent module its types; changes nothing. */
export function defineAgent<State, Task = unknown, Result = unknown>(
  module: AgentModule<State, Task, Result>,
): AgentModule<State, Task, Result> {
  return module;
}
