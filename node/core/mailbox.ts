import { limits } from './settings.ts';
import { fromBytes, toBytes } from './text.ts';

/** A task that an agent sends to another one: kept with its state until it is answered. */
export interface Letter {
  /** The id of the task: the same however often it is sent. */
  id: string;
  /** Step that it was sent with: it leaves once that is durable. */
  sequence: number;
  /** The agent that gets it, chosen once and for all; empty: there was none. */
  to: string;
  task: unknown;
  priority: number;
  key: string;
  /** The sender wants the answer, as a task, with this in it. */
  reply?: unknown;
}

/** A task that an agent sends to itself when its time has come. Kept with its state. */
export interface Timer {
  name: string;
  /** The id of the task. */
  id: string;
  /** Wall clock, ms since 1970. */
  atMs: number;
  /** It is due so long after it was set, whatever wall clocks say; a host that takes it over waits no longer. */
  withinMs?: number;
  everyMs?: number;
  task: unknown;
}

/** What an agent has under way, beside its own state. */
export interface Mailbox {
  readonly letters: readonly Letter[];
  readonly timers: readonly Timer[];
}

export const emptyMailbox: Mailbox = { letters: [], timers: [] };

export const isEmpty = ({ letters, timers }: Mailbox): boolean => letters.length === 0 && timers.length === 0;

/** The version that wrote a state which does not say so: states of types with one version, and older ones, do not. */
export const firstVersion = 1;

/** The end of a state: the mailbox, with the version of the code that wrote the state, then its length in four bytes. */
export function encodeMailbox(mailbox: Mailbox, version = firstVersion): Uint8Array {
  const isFirst = version === firstVersion;
  const { letters, timers } = mailbox;
  const text =
    isFirst && isEmpty(mailbox)
      ? new Uint8Array(0)
      : toBytes(JSON.stringify({ letters, timers, ...(!isFirst && { version }) }));
  const bytes = new Uint8Array(text.byteLength + 4);
  bytes.set(text);
  new DataView(bytes.buffer).setUint32(text.byteLength, text.byteLength);
  return bytes;
}

/** Where a state's mailbox begins, what is in it, and which version wrote the state. Throws when its end is none. */
export function decodeMailbox(state: Uint8Array): { length: number; mailbox: Mailbox; version: number } {
  const bytes =
    state.byteLength < 4 ? -1 : new DataView(state.buffer, state.byteOffset).getUint32(state.byteLength - 4);
  const length = state.byteLength - 4 - bytes;
  if (bytes < 0 || length < 0) throw new Error('a state without a mailbox at its end');
  const text = fromBytes(state.subarray(length, length + bytes));
  if (text === '') return { length, mailbox: emptyMailbox, version: firstVersion };
  const { version = firstVersion, letters, timers } = JSON.parse(text) as Mailbox & { version?: number };
  return { length, mailbox: isEmpty({ letters, timers }) ? emptyMailbox : { letters, timers }, version };
}

/** What is wrong with having so much under way; undefined when nothing is. */
export function whyTooMuch({ letters, timers }: Mailbox, bytes: number): string | undefined {
  if (letters.length > limits.lettersMax) {
    return `it would have ${letters.length} tasks for others under way, at most ${limits.lettersMax}`;
  }
  if (timers.length > limits.timersMax) return `it would have ${timers.length} timers, at most ${limits.timersMax}`;
  if (bytes <= limits.mailboxBytesMax) return undefined;
  return `its tasks for others and its timers would be ${bytes} bytes, at most ${limits.mailboxBytesMax}`;
}
