import type { ContainerSpec } from '../core/container-spec.ts';
import type { Write } from '../core/effect.ts';
import type { Isolation } from '../core/isolation.ts';
import type { NodeId, Topic } from '../core/message.ts';
import type { StateUpdate } from '../core/state-change.ts';
import type { VersionChange } from '../core/version-change.ts';

/** What the network tells the live host. Frames are raw: the host decodes and checks them. */
export interface TransportEvents {
  connected(node: NodeId): void;
  /** The last connection to that node closed. */
  disconnected(node: NodeId): void;
  dialFailed(address: string): void;
  frame(from: NodeId, bytes: Uint8Array): void;
  gossip(from: NodeId, topic: Topic, bytes: Uint8Array): void;
}

/** Direct frames and gossip between nodes. Every method returns at once; nothing is promised to arrive. */
export interface Transport {
  readonly self: NodeId;
  /** Addresses under which others can reach this node, as multiaddrs without the peer id. */
  addresses(): string[];
  start(events: TransportEvents): Promise<void>;
  dial(node: NodeId, addresses: readonly string[]): void;
  dialAddress(address: string): void;
  hangUp(node: NodeId): void;
  send(node: NodeId, bytes: Uint8Array): void;
  publish(topic: Topic, bytes: Uint8Array): void;
  stop(): Promise<void>;
}

/** Durable records. */
export interface Store {
  /** Everything that was stored when the store was opened, checked then. It is handed over, once. */
  load(): Promise<Map<string, Uint8Array>>;
  /** Resolves when the whole batch is synced to disk. A rejection is final: the process must not go on. */
  write(batch: readonly Write[]): Promise<void>;
  close(): Promise<void>;
}

export interface RunnerEvents {
  /** Bytes that stand before those of the next `started`, or before those that the change of the next `ran` inserts. */
  ahead(agent: string, epoch: number, bytes: Uint8Array): void;
  /** `state`: checkpoint of the instance as started. */
  started(agent: string, epoch: number, state: Uint8Array): void;
  /** `state`: all of the checkpoint after the task, what it changed in the one before, or nothing where that was nothing. */
  ran(
    agent: string,
    epoch: number,
    task: string,
    ok: boolean,
    value: Uint8Array,
    state: StateUpdate,
    /** What it sends and the timers that it sets: JSON, unchecked. */
    outputs?: Uint8Array,
  ): void;
  /** They were not begun, and will not be. */
  returned(agent: string, epoch: number, tasks: string[]): void;
  /** `value`: what the running task has to tell before it is done, JSON. */
  progress(agent: string, epoch: number, task: string, value: Uint8Array): void;
  /** `innocent`: it ended because of another agent with which it shared a thread, and its own code did nothing wrong. */
  failed(agent: string, epoch: number, reason: string, innocent: boolean): void;
  /** What `prepare` asked for is there; or, with a reason, cannot be. */
  prepared(agent: string, migration: number, reason: string): void;
}

export interface RunOptions {
  /** The payload is a branch that is to be taken in, as `encodeMerge` made it. */
  merges?: boolean | undefined;
  /** By the clock of this process (`performance.now()`), ms: after it the task is not begun, and returned. */
  deadlineMs?: number;
}

/** Runs agent instances, each apart from the node. One task at a time per instance; answers come as events. */
export interface Runner {
  start(instance: {
    agent: string;
    agentType: string;
    epoch: number;
    source: string;
    /** Runs the source as a process of its own; none: it is a module for a worker thread. */
    interpreter?: string | undefined;
    /** Runs in place of a source. */
    container?: ContainerSpec | undefined;
    /** Whether a module may share a thread with others of its type; none: it has its own. */
    isolation?: Isolation | undefined;
    state: Uint8Array | undefined;
    /** What its code is told of itself; its own name and epoch when omitted. */
    told?: { agent: string; epoch: number } | undefined;
    /** Another version of the code wrote the state. */
    change?: VersionChange | undefined;
    /** Of a module in a thread: what stands behind `state`, when it is much. */
    more?: readonly Uint8Array[];
  }): void;
  /** After those that the instance was given before. */
  run(agent: string, epoch: number, task: string, payload: Uint8Array, how?: RunOptions): void;
  /** Gives those back that were not begun; `returned` is told of some, or of none. */
  recall(agent: string, epoch: number): void;
  /** Asks the code to give up a task that runs. It still ends as every task does, and may have gone well. */
  cancel(agent: string, epoch: number, task: string): void;
  stop(agent: string, epoch: number): void;
  /**
   * What runs an agent under the epoch `from` goes on under another one: what is told of it from here on is of that, and its
   * code is told from its next task on. Nothing where nothing of that runs: its end was told.
   */
  renew(agent: string, from: number, epoch: number): void;
  /**
   * Makes ready what an agent will run in, without its state: ends in `prepared`. The agent's next `start` with this source
   * takes it, unless it was released.
   */
  prepare(
    what: Omit<Parameters<Runner['start']>[0], 'epoch' | 'state' | 'more' | 'change'> & { migration: number },
  ): void;
  release(agent: string, migration: number): void;
  stopAll(): Promise<void>;
}
