import type { Effect, EffectOf, Write } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Operation, Outcome } from '../../node/core/operation.ts';

/** What the world did: to a node, or to the network and the users' side when `node` is `world`. */
export interface WorldAct {
  kind: 'fault' | 'mend' | 'phase';
  node: NodeId | 'world';
  text: string;
}

/**
 * Watches a world from outside: frames that left, batches that reached the disk, effects that were carried out. A
 * checker throws a `Violation` when a promise is broken at that very step.
 */
export interface Observer {
  /** A frame left a node, to another one or, without `to`, by gossip. */
  sent?(node: NodeId, cluster: string, message: Message, to: NodeId | undefined): void;
  /** An event is about to be handed to a node. */
  happened?(node: NodeId, event: Event): void;
  /** A node decided that a task is to be begun: at once, or after those that its instance was given before. */
  decided?(node: NodeId, effect: EffectOf<'runTask'>): void;
  /** The code of an agent on a node began a task. */
  began?(node: NodeId, agent: string, task: string): void;
  /** A node's effect was carried out: a reply left, a task began, an instance was started. */
  did?(node: NodeId, effect: Effect): void;
  /** A batch is durable. `read` gives what the disk holds after it. */
  durable?(node: NodeId, writes: readonly Write[], read: (key: string) => Uint8Array | undefined): void;
  reported?(node: NodeId, report: EffectOf<'report'>['report']): void;
  /** A process started on a node; its disk was empty, or not. */
  started?(node: NodeId, wiped: boolean): void;
  /** The process of a node is gone, whoever ended it. */
  ended?(node: NodeId): void;
  acted?(act: WorldAct): void;
  /** A user puts an operation to a node. */
  asked?(node: NodeId, request: string, operation: Operation): void;
  /** A user got an outcome. */
  answered?(node: NodeId, request: string, operation: Operation, outcome: Outcome): void;
}

export interface Checker extends Observer {
  readonly name: string;
  /** The run is over and everything has settled: judges what can be judged only then. */
  finish?(): void;
}

/** Something that must always hold did not. */
export class Violation extends Error {
  readonly checker: string;

  constructor(checker: string, what: string) {
    super(`${checker}: ${what}`);
    this.name = 'Violation';
    this.checker = checker;
  }
}
