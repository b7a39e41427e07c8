import { fromBytes, fromJson } from '../../node/core/text.ts';
import { Entry, HolderRecord } from '../../node/core/wire/messages.ts';

/** Several checkers watch each write: what the one before has read is not read again. */
function rememberingLast<T>(read: (value: Uint8Array) => T): (value: Uint8Array) => T {
  let last: { value: Uint8Array; record: T } | undefined;
  return (value) => {
    if (last?.value !== value) last = { value, record: read(value) };
    return last.record;
  };
}

/** The log entry in a stored value. */
export const entryOf = rememberingLast((value) => Entry.decode(value));

/** A holder's record in a stored value. */
export const holderOf = rememberingLast((value) => HolderRecord.decode(value));

/** The term in a stored value of Raft's hard state. */
export const termOf = rememberingLast((value) => (fromJson(fromBytes(value)) as { term: number }).term);
