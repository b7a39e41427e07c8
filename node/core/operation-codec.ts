import { decodeKvCommand, encodeKvCommand, isKvCommand, type KvCommand } from './kv-command.ts';
import type { Operation } from './operation.ts';
import { fromBytes, fromJson, toBytes, toJson } from './text.ts';

/** An operation as it travels to the node that can do it: a write of a key as its command is, everything else as JSON. */
export function encodeOperation(operation: Operation): Uint8Array {
  const { type } = operation;
  if (type !== 'kvPut' && type !== 'kvDelete') return toBytes(toJson(operation));
  const { type: _, ...change } = operation;
  return encodeKvCommand({ ...change, kind: type, atMs: 0 } as KvCommand & { atMs: number });
}

/** The reverse; what comes out is still to be checked. Throws when it is neither. */
export function decodeOperation(bytes: Uint8Array): Operation {
  if (!isKvCommand(bytes)) return fromJson(fromBytes(bytes)) as Operation;
  const { kind, atMs: _, ...change } = decodeKvCommand(bytes);
  return { ...change, type: kind } as Operation;
}
