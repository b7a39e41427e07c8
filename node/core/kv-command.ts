import type { Serial } from '../../consensus/sessions.ts';
import { fromBytes, toBytes } from './text.ts';

/** What both kinds of change of the key-value space say. */
interface KvChange {
  /** Visible ASCII, as `isKvKey` has it. */
  key: string;
  /** Only if the key was last changed at this log index; 0: only if there is no such key. */
  ifIndex?: number;
}

/** A decision about the key-value space. The value goes into the log as it is: JSON would cost more than the rest of a write. */
export type KvPutCommand = { kind: 'kvPut'; value: Uint8Array } & KvChange;
export type KvDeleteCommand = { kind: 'kvDelete' } & KvChange;

export type KvCommand = KvPutCommand | KvDeleteCommand;

type Stamped = KvCommand & { atMs: number; by?: Serial };

/** First bytes. Every other command is JSON and begins with a brace. */
const putMark = 1;
const deleteMark = 2;
const hasIfIndex = 1;
const hasSerial = 2;
const numberBytes = 8;
/** Mark, flags, time of the leader. */
const headBytes = 2 + numberBytes;
const keyLengthBytes = 2;

/** Whether an entry's bytes are of this form. */
export const isKvCommand = (bytes: Uint8Array): boolean => bytes[0] === putMark || bytes[0] === deleteMark;

/**
 * Mark, flags, time (ms, double), where the flags say so the index of the condition, and session, serial and lowest
 * (doubles), the key behind its length (16 bits, big-endian like all numbers here), and whatever follows is the value.
 */
export function encodeKvCommand(command: Stamped): Uint8Array {
  const { ifIndex, by } = command;
  const key = toBytes(command.key);
  const value = command.kind === 'kvPut' ? command.value : undefined;
  // The name of a session is a log index.
  const serial = by === undefined ? [] : [Number(by.session), by.serial, by.lowest];
  const numbers = [...(ifIndex === undefined ? [] : [ifIndex]), ...serial];
  const keyAt = headBytes + numbers.length * numberBytes + keyLengthBytes;
  const bytes = new Uint8Array(keyAt + key.byteLength + (value?.byteLength ?? 0));
  const view = new DataView(bytes.buffer);
  bytes[0] = value === undefined ? deleteMark : putMark;
  bytes[1] = (ifIndex === undefined ? 0 : hasIfIndex) | (by === undefined ? 0 : hasSerial);
  view.setFloat64(2, command.atMs);
  let at = headBytes;
  for (const number of numbers) {
    view.setFloat64(at, number);
    at += numberBytes;
  }
  view.setUint16(at, key.byteLength);
  bytes.set(key, keyAt);
  if (value !== undefined) bytes.set(value, keyAt + key.byteLength);
  return bytes;
}

/** The reverse. The value is a view of `bytes`. Throws `RangeError` when there are fewer bytes than they say. */
export function decodeKvCommand(bytes: Uint8Array): Stamped {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(1);
  let at = headBytes;
  const next = (): number => {
    at += numberBytes;
    return view.getFloat64(at - numberBytes);
  };
  const ifIndex = flags & hasIfIndex ? next() : undefined;
  const by = flags & hasSerial ? { session: String(next()), serial: next(), lowest: next() } : undefined;
  const keyAt = at + keyLengthBytes;
  const valueAt = keyAt + view.getUint16(at);
  if (valueAt > bytes.byteLength) throw new RangeError('the key is longer than the entry');
  const change = {
    atMs: view.getFloat64(2),
    key: fromBytes(bytes.subarray(keyAt, valueAt)),
    ...(ifIndex === undefined ? {} : { ifIndex }),
    ...(by === undefined ? {} : { by }),
  };
  if (view.getUint8(0) === deleteMark) return { kind: 'kvDelete', ...change };
  return { kind: 'kvPut', ...change, value: bytes.subarray(valueAt) };
}
