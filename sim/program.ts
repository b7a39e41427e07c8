import type { VersionChange } from '../node/core/version-change.ts';

/** What an instance of an agent is told and given: the production contract's context, and the world's time and chance. */
export interface ProgramContext {
  agent: string;
  type: string;
  /** Fencing token. */
  epoch: number;
  /** Of the type's code; the first when omitted. */
  version?: number;
  /** What that clock showed when it was started; read from it when omitted. */
  startedMs?: number;
  /** Wall clock of the machine it runs on, ms since 1970, in virtual time. */
  wallMs(): number;
  /** The instance's own generator, [0, 1). */
  random(): number;
}

export interface Answer {
  ok: boolean;
  /** The result, JSON; of a refused task `{"reason": …}`. */
  value: Uint8Array;
  /** The checkpoint to go on from; of a refused task the one before it. */
  state: Uint8Array;
  /** What it sends and the timers that it sets: JSON, unchecked. */
  outputs?: Uint8Array | undefined;
  /** What the task told before it was done, in order; none when omitted. */
  progress?: Uint8Array[];
}

/** One instance of an agent's code, with memory of its own. Nothing it returns is changed later. */
export interface Running {
  /** The checkpoint as started. */
  readonly state: Uint8Array;
  /**
   * Takes one task to its end; `cancelled` when its end is not wanted any more, which it hears of while it runs; `task`: its id. Throws
   * only when the instance is lost: its state cannot be had any more.
   */
  handle(payload: Uint8Array, cancelled?: boolean, task?: string): Answer;
  /** What it passes on to outside systems as its fencing token; not judged when omitted. */
  readonly token?: number;
  /** It goes on in another epoch. */
  renew?(epoch: number): void;
  /** Takes in a branch, as `encodeMerge` gives it; refused when omitted. */
  merge?(payload: Uint8Array): Answer;
}

/** An agent's code in the simulated world: the contract of production, without waiting. */
export interface Program {
  /** A new instance, from a checkpoint or, without one, from nothing. Throws when it cannot start. */
  start(context: ProgramContext, state: Uint8Array | undefined, change?: VersionChange): Running;
  /** The program that a version's source means; this one when omitted. */
  version?(source: string): Program;
  /** It brings states of other versions to a form of its own: without `rollback` there is no way back from that. */
  migrates?: boolean;
  /** What an older version would have kept in place of this state. Throws when it cannot say. */
  rollback?(state: Uint8Array, change: VersionChange): Uint8Array;
}
