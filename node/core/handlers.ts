import type { RaftMessageType } from '../../consensus/message.ts';
import type { AutonomyMessageType } from './autonomy.ts';
import type { EventOf, EventType } from './event.ts';
import type { MessageOf, MessageType, NodeId } from './message.ts';

/** What is done about each kind of event. */
export type EventHandlers = { [K in EventType]: (event: EventOf<K>) => void };

/** Messages that are neither Raft's nor an introduction, and not about autonomy. */
export type Said = Exclude<MessageType, 'hello' | RaftMessageType | AutonomyMessageType>;

/** Of these what a host tells the leader. */
export type ForLeader = 'activate' | 'relinquish' | 'prepared' | 'ailing' | 'refusing' | 'holdersReport';

/** What is done about each of them. */
export type MessageHandlers = { [K in Said]: (from: NodeId, body: MessageOf<K>) => void };

/** Said before, and in order to, belong to the same cluster. */
export const beforeBelonging: ReadonlySet<MessageType> = new Set([
  ...(['hello', 'foundAsk', 'foundPledge', 'foundRelease', 'join'] as const),
]);
