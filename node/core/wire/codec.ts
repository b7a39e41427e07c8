import { errors } from '../errors.ts';
import type { Message, MessageType } from '../message.ts';
import { Envelope } from './messages.ts';

/** Raised by a change that an older node would misread. */
export const wireVersion = 2;

/** Largest frame that is decoded at all, in bytes; the transport refuses larger ones before it reads them. */
export const frameBytesMax = 4 * 1024 * 1024;

const idLengthMax = 128;
const textLengthMax = 1024;

/** Message bodies that make no sense without the named part. */
const requiredParts: Partial<Record<MessageType, readonly string[]>> = {
  hello: ['profile'],
  join: ['profile'],
  branchKeep: ['record'],
};

const nothing: readonly string[] = [];

export interface Decoded {
  /** Cluster the sender belongs to; empty when none yet. */
  cluster: string;
  message: Message;
}

/** Encodes a message for the wire. Throws `messageTooLarge` or `messageInvalid` when the receiver would refuse it. */
export function encode(cluster: string, message: Message): Uint8Array {
  checkBody(message.type, message.body);
  const bytes = Envelope.encode({ version: wireVersion, cluster, [message.type]: message.body });
  if (bytes.byteLength > frameBytesMax) {
    throw errors.messageTooLarge({ type: message.type, bytes: bytes.byteLength, bytesMax: frameBytesMax });
  }
  return bytes;
}

/**
 * Decodes and checks a frame. Throws `messageInvalid` for anything that is not exactly one known message of this
 * version within its limits; the caller counts it and drops it, its state unchanged.
 */
export function decode(bytes: Uint8Array): Decoded {
  if (bytes.byteLength > frameBytesMax) {
    throw errors.messageInvalid({ reason: `${bytes.byteLength} bytes, at most ${frameBytesMax} are allowed` });
  }
  let envelope: Envelope;
  try {
    envelope = Envelope.decode(bytes);
  } catch (error) {
    throw errors.messageInvalid({ reason: error instanceof Error ? error.message : String(error) });
  }
  const { version, cluster, ...bodies } = envelope;
  if (version !== wireVersion) {
    throw errors.messageInvalid({ reason: `wire version ${version}, this node speaks ${wireVersion}` });
  }
  const types = Object.keys(bodies) as MessageType[];
  const [type] = types;
  if (type === undefined || types.length !== 1) {
    throw errors.messageInvalid({ reason: `${types.length} messages in one envelope` });
  }
  const body = bodies[type] as object;
  checkBody(type, body);
  checkLength('cluster', cluster, idLengthMax);
  return { cluster, message: { type, body } as Message };
}

function checkBody(type: MessageType, body: object): void {
  for (const part of requiredParts[type] ?? nothing) {
    if (!(part in body)) throw errors.messageInvalid({ reason: `${type} without ${part}` });
  }
  const parts = body as Record<string, unknown>;
  for (const name in parts) {
    const value = parts[name];
    if (typeof value === 'string' && value.length > textLengthMax) checkLength(`${type}.${name}`, value, textLengthMax);
  }
}

function checkLength(name: string, value: string, lengthMax: number): void {
  if (value.length > lengthMax) {
    throw errors.messageInvalid({ reason: `${name} has ${value.length} characters, at most ${lengthMax}` });
  }
}
