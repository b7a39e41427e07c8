import { Entry } from '../../node/core/wire/messages.ts';

let lastValue: Uint8Array | undefined;
let lastEntry: Entry | undefined;

/** The log entry in a stored value. Several watch each write: what the one before has read is not read again. */
export function entryOf(value: Uint8Array): Entry {
  if (value !== lastValue || lastEntry === undefined) {
    lastEntry = Entry.decode(value);
    lastValue = value;
  }
  return lastEntry;
}
