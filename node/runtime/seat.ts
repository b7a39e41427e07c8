import type { StateChange } from '../core/state-change.ts';
import type { PrintedLines } from './printed-lines.ts';
import type { RateLimit } from './rate-limit.ts';

/** What becomes of an agent in a thread. */
export interface SeatEvents {
  /** `more`: to be called when that was taken in. */
  ahead(bytes: Uint8Array, more: () => void): void;
  started(state: Uint8Array): void;
  ran(task: string, ok: boolean, value: Uint8Array, change: StateChange | undefined, outputs?: Uint8Array): void;
  progress(task: string, value: Uint8Array): void;
  printed(line: string): void;
  /** It is to blame for the end of a thread that it shared. */
  broke(): void;
  /** Nothing follows. `innocent`: another agent of the thread was to blame, and the reason says which. */
  failed(reason: string, innocent: boolean): void;
}

/** What an agent was told to do, and by when it has to have done it. */
export interface Doing {
  /** None while it starts or leaves. */
  task: string | undefined;
  otherwise: string;
  withinMs: number;
  toldMs: number;
  pingedMs: number | undefined;
  /** When its thread was asked last, on the way of a long task, whether it goes round. */
  watchedMs: number | undefined;
  /** It was asked to give up at its deadline. */
  isLate: boolean;
  /** Processor time of the thread when this was first looked at; 0 until then. */
  usedBeforeMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** The place of one agent in a thread. */
export interface Seat {
  readonly number: number;
  readonly agent: string;
  readonly events: SeatEvents;
  readonly progressRate: RateLimit;
  readonly printed: readonly PrintedLines[];
  doing: Doing | undefined;
  isLeaving: boolean;
  /** The state that it is being started from. */
  from: Uint8Array | undefined;
}
