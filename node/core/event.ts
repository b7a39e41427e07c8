import type { Message, NodeId, Topic } from './message.ts';
import type { Operation } from './operation.ts';
import type { StateUpdate } from './state-change.ts';

/** What the host measured about itself, for gossip and for the node's own judgement. */
export interface LoadSample {
  /** Share of one core used since the last sample. */
  cpu: number;
  memoryBytes: number;
  loopDelayMs: number;
}

/** Everything that can happen to a node. The host stamps the time on each: `node.handle(event, nowMs)`. */
export type Event =
  /** The moment asked for by `wakeAt` has come, or something like it. */
  | { type: 'wake' }
  | { type: 'connected'; node: NodeId }
  /** The last connection to a node closed. */
  | { type: 'disconnected'; node: NodeId }
  /** A dial by address alone failed. One that found this very node did not. */
  | { type: 'dialFailed'; address: string }
  | { type: 'message'; from: NodeId; cluster: string; message: Message }
  | { type: 'gossip'; from: NodeId; cluster: string; topic: Topic; message: Message }
  /** The `persist` effect of that id, and all before it, are on disk. */
  | { type: 'persisted'; id: number }
  | { type: 'request'; request: string; operation: Operation }
  | { type: 'load'; sample: LoadSample }
  /** The process was asked to end: hand over, say goodbye, then emit `exit`. */
  | { type: 'stop' }
  /** Bytes that stand before those of the next `agentStarted`, or of what the change of the next `taskRan` inserts. */
  | { type: 'stateAhead'; agent: string; epoch: number; bytes: Uint8Array }
  | { type: 'agentStarted'; agent: string; epoch: number; state: Uint8Array }
  | {
      type: 'taskRan';
      agent: string;
      epoch: number;
      task: string;
      ok: boolean;
      value: Uint8Array;
      state: StateUpdate;
      /** What it sends and the timers that it sets, as its code gave them: JSON, unchecked. */
      outputs?: Uint8Array | undefined;
    }
  /** They were given to the code and not begun, and will not be: it was asked for them, or it was too late for them. */
  | { type: 'tasksReturned'; agent: string; epoch: number; tasks: string[] }
  /** What a running task has to tell before it is done, JSON. */
  | { type: 'taskProgress'; agent: string; epoch: number; task: string; value: Uint8Array }
  /** What was to be made ready for a migration is; or, with a reason, cannot be. */
  | { type: 'agentPrepared'; agent: string; migration: number; reason: string }
  /**
   * The instance is gone: crash, hang, out of memory, or it could not start. `innocent`: another agent, with which it
   * shared a thread, is to blame.
   */
  | { type: 'agentFailed'; agent: string; epoch: number; reason: string; innocent?: boolean };

export type EventType = Event['type'];
export type EventOf<T extends EventType> = Extract<Event, { type: T }>;
