import type { AgentState, StepChanges } from './agent-state.ts';
import type { Assignment } from './assignment.ts';
import { changeFor, type VersionChange } from './version-change.ts';

export interface VersionTurnInit {
  assignment: Assignment;
  state: AgentState;
  /** It acknowledges, so that a step of its own is one like all others. */
  isActive(): boolean;
  record(changes: StepChanges): void;
}

/**
 * How an instance comes to go on from a state that another version of the code wrote. Forward, the holders keep what that
 * version wrote until a task has gone well or nobody watches the upgrade any more: so a version that is no good leaves
 * nothing behind. The way back is final at once.
 */
export class VersionTurn {
  readonly #init: VersionTurnInit;
  #change: VersionChange | undefined;
  #isSettled = false;

  constructor(init: VersionTurnInit) {
    this.#init = init;
  }

  /** Whether another version wrote the state. */
  get isNeeded(): boolean {
    const { assignment, state } = this.#init;
    return changeFor(assignment, state.version) !== undefined;
  }

  /** The code is about to be started from the state, or from nothing. */
  begin(hasState: boolean): VersionChange | undefined {
    const { assignment, state } = this.#init;
    this.#change = hasState ? changeFor(assignment, state.version) : undefined;
    state.startedAs(undefined, 0);
    return this.#change;
  }

  /** It has started, with that as its state. */
  started(own: Uint8Array): void {
    if (this.#change === undefined) return;
    const { from, to } = this.#change;
    this.#init.state.startedAs(own, to);
    if (to < from) this.#record();
    else if (this.#isSettled) this.settled();
  }

  /** No upgrade of it is watched any more. */
  settled(): void {
    this.#isSettled = true;
    if (this.#init.state.turnedTo !== undefined && this.#init.isActive()) this.#record();
  }

  #record(): void {
    const { state, record } = this.#init;
    record({ ...state.turn(), mailbox: state.mailbox });
  }
}
