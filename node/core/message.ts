import type { Envelope } from './wire/messages.ts';

/** libp2p peer id (Ed25519) as text; the identity of a node. */
export type NodeId = string;

type Bodies = Required<Omit<Envelope, 'version' | 'cluster'>>;

export type MessageType = keyof Bodies;

/** Anything one node says to another, direct or by gossip: a type and its body. */
export type Message = { [K in MessageType]: { type: K; body: Bodies[K] } }[MessageType];

export type MessageOf<K extends MessageType> = Bodies[K];

/** A holder's answer, as it is sent. */
export const replicated = (body: MessageOf<'replicated'>): { type: 'replicated'; body: MessageOf<'replicated'> } => ({
  type: 'replicated',
  body,
});

/** Topics that are gossiped; everything else goes over direct streams. */
export type Topic = 'members' | 'load';

export type {
  BranchHere,
  BranchRecord,
  Checkpoint,
  Contact,
  HolderStep,
  HoldersOfAgent,
  Known,
  Load,
  Profile,
  Rumor,
  TaskAside,
  TaskResult,
} from './wire/messages.ts';
