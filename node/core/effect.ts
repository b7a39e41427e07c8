import type { ContainerSpec } from './container-spec.ts';
import type { Isolation } from './isolation.ts';
import type { Message, NodeId, Topic } from './message.ts';
import type { Outcome } from './operation.ts';
import type { VersionChange } from './version-change.ts';

/** One record of the store: a text key and its bytes, or `undefined` to delete it. */
export interface Write {
  key: string;
  value: Uint8Array | undefined;
}

/** A line of the event stream that users follow. `index` orders the ones every node agrees on. */
export interface Report {
  /** Log index when the report comes from the log (the same on every node), else 0: seen by this node only. */
  index: number;
  /** Wall clock of the decision in ms since 1970, as stamped by the leader; 0 when the node has only its own time. */
  atMs: number;
  kind: string;
  text: string;
  details: Record<string, unknown>;
}

/**
 * What the node wants from the world. A host runs the effects of one `handle` in order, and those of successive calls
 * one after the other; a `persist` holds back everything behind it until it is durable, except `wakeAt`, `runTask` and
 * what is marked `urgent`, which promise nothing that this node's disk must back.
 */
export type Effect =
  /** One atomic batch, synced to disk. The host feeds `persisted` with the id before it goes on. */
  | { type: 'persist'; id: number; writes: Write[] }
  /** `cluster`: what the sender belonged to when it said this; goes into the envelope. */
  | { type: 'send'; to: NodeId; message: Message; urgent: boolean; cluster: string }
  | { type: 'publish'; topic: Topic; message: Message; cluster: string }
  /** Connect to a known node; nothing happens when already connected. */
  | { type: 'dial'; node: NodeId; addresses: string[] }
  /** Connect to whoever answers at an address. */
  | { type: 'dialAddress'; address: string }
  /** Close whatever connections there are: the node is thought dead. */
  | { type: 'hangUp'; node: NodeId }
  | {
      type: 'startAgent';
      agent: string;
      agentType: string;
      epoch: number;
      source: string;
      interpreter?: string | undefined;
      container?: ContainerSpec | undefined;
      isolation?: Isolation | undefined;
      /** Of one for a thread that is too large for one turn: its beginning, with `more` behind it. */
      state: Uint8Array | undefined;
      /** What its code is told of itself, where it runs by another name: as a branch. */
      told?: { agent: string; epoch: number } | undefined;
      /** Which of the type's versions the source is; the first when omitted. */
      version?: number | undefined;
      /** Another one wrote the state. */
      change?: VersionChange | undefined;
      more?: readonly Uint8Array[];
    }
  | { type: 'stopAgent'; agent: string; epoch: number }
  /** What runs the agent under an epoch goes on under a later one, which its code is told from its next task on. */
  | { type: 'renewAgent'; agent: string; from: number; epoch: number }
  /** Makes ready what an agent will run in, its code loaded and nothing of it run, for when it moves here. */
  | {
      type: 'prepareAgent';
      agent: string;
      agentType: string;
      source: string;
      interpreter?: string | undefined;
      container?: ContainerSpec | undefined;
      isolation?: Isolation | undefined;
      migration: number;
    }
  /** Ends what was made ready for that migration, unless the agent was started in it. */
  | { type: 'releaseAgent'; agent: string; migration: number }
  /** For an agent that has started. Passes writes: what it leads to is answered only when it is on a majority of disks, and the next task goes on from it meanwhile. It may be given while the code is at another one, and is begun after that. */
  | {
      type: 'runTask';
      agent: string;
      epoch: number;
      task: string;
      payload: Uint8Array;
      /** By this node's own clock, ms: after it the task is not begun, and returned. */
      deadlineMs: number;
      /** It is to take in a branch: the payload is what `merge-payload.ts` made. */
      merges?: boolean;
    }
  /** Has those tasks of an instance given back that its code has not begun. */
  | { type: 'recallTasks'; agent: string; epoch: number }
  /** Asks the code to give up a task that runs; passes writes as it promises nothing. */
  | { type: 'cancelTask'; agent: string; epoch: number; task: string }
  /** What a request's task has to tell before it is done; passes writes, as it promises nothing. */
  | { type: 'progress'; request: string; number: number; value: Uint8Array }
  /** `urgent`: what it says is committed, or kept by a majority of holders, whatever this disk is still to write. */
  | { type: 'reply'; request: string; outcome: Outcome; urgent?: boolean }
  | { type: 'report'; report: Report }
  /** Wake no later than this; replaces the wish before. */
  | { type: 'wakeAt'; atMs: number }
  /** The node has said goodbye, or can not go on: end the process with this code. */
  | { type: 'exit'; code: number; reason: string };

export type EffectType = Effect['type'];
export type EffectOf<T extends EffectType> = Extract<Effect, { type: T }>;

const promiseNothing: ReadonlySet<EffectType> = new Set([
  ...(['prepareAgent', 'releaseAgent', 'startAgent', 'stopAgent', 'renewAgent'] as const),
  ...(['runTask', 'recallTasks', 'cancelTask', 'progress'] as const),
]);

/** Whether a host runs it at once, whatever is being written. */
export function passesWrites(effect: Effect): boolean {
  if (effect.type === 'send' || effect.type === 'reply') return effect.urgent === true;
  return promiseNothing.has(effect.type);
}
