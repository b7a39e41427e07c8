import type { EffectOf, EffectType } from '../../node/core/effect.ts';
import type { EventOf, EventType } from '../../node/core/event.ts';
import type { MessageOf, MessageType, NodeId } from '../../node/core/message.ts';
import type { Observer } from '../checkers/checker.ts';
import type { Exit } from '../world.ts';
import type { Logged } from './logged.ts';

type Report = EffectOf<'report'>['report'];

/** Hooks by kind, so that a frame or an event costs only those who wait for its kind. */
export interface Hooks
  extends Pick<Observer, 'decided' | 'durable' | 'started' | 'ended' | 'acted' | 'asked' | 'answered'> {
  /** A frame left a node, to another one or, without `to`, by gossip. */
  sent?: { readonly [K in MessageType]?: (node: NodeId, body: MessageOf<K>, to: NodeId | undefined) => void };
  /** A frame, direct or gossiped, is about to be handed to a node. */
  received?: { readonly [K in MessageType]?: (node: NodeId, body: MessageOf<K>, from: NodeId) => void };
  happened?: { readonly [K in EventType]?: (node: NodeId, event: EventOf<K>) => void };
  did?: { readonly [K in EffectType]?: (node: NodeId, effect: EffectOf<K>) => void };
  /** A node said something that only it saw, by kind of report. */
  reported?: Readonly<Record<string, (node: NodeId, report: Report) => void>>;
  /** The log decided something: told once, of the first node to apply it. */
  logged?: { readonly [K in keyof Logged]?: (details: Logged[K], node: NodeId) => void };
  /** The first node has applied everything up to an index and tells what that entry did. */
  applied?: (index: number, node: NodeId) => void;
  /** A process ended by itself: told before `ended`. */
  exited?: (exit: Exit) => void;
}
