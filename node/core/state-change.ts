/** What one step did to a state's bytes: at `offset`, `removed` bytes gave way to those of `inserted`. */
export interface StateChange {
  /** Length of the state that it is a change of. */
  previousLength: number;
  offset: number;
  removed: number;
  inserted: Uint8Array;
}

/** What a runner says of the state after a task: all of it, a change of the one before, or nothing when it is the same. */
export type StateUpdate = Uint8Array | StateChange | undefined;

const nothing = new Uint8Array(0);

/**
 * The smallest single change that makes `after` of `before`: what stands between their common beginning and their common
 * end. Undefined when they are the same.
 */
export function changeBetween(before: Uint8Array, after: Uint8Array): StateChange | undefined {
  const shorter = Math.min(before.length, after.length);
  const offset = commonPrefix(before, after, shorter);
  if (offset === before.length && offset === after.length) return undefined;
  const kept = commonSuffix(before, after, shorter - offset);
  const removed = before.length - offset - kept;
  // Of its own: what it is cut from may be large, and is not kept for its sake.
  const inserted = after.length - offset - kept === 0 ? nothing : after.slice(offset, after.length - kept);
  return { previousLength: before.length, offset, removed, inserted };
}

/** Whether it can be a change of a state of that length, and leaves one of at most `lengthMax`. */
export function fits({ previousLength, offset, removed, inserted }: StateChange, length: number, lengthMax: number) {
  if (previousLength !== length || !isCount(offset) || !isCount(removed)) return false;
  return offset + removed <= length && length - removed + inserted.byteLength <= lengthMax;
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** Four bytes at a time where both allow it: most of a large state is as it was. */
function commonPrefix(a: Uint8Array, b: Uint8Array, lengthMax: number): number {
  let at = 0;
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = Math.floor(lengthMax / 4);
    const wordsA = new Uint32Array(a.buffer, a.byteOffset, words);
    const wordsB = new Uint32Array(b.buffer, b.byteOffset, words);
    let word = 0;
    while (word < words && wordsA[word] === wordsB[word]) word += 1;
    at = word * 4;
  }
  while (at < lengthMax && a[at] === b[at]) at += 1;
  return at;
}

function commonSuffix(a: Uint8Array, b: Uint8Array, lengthMax: number): number {
  let kept = 0;
  while (kept < lengthMax && a[a.length - 1 - kept] === b[b.length - 1 - kept]) kept += 1;
  return kept;
}
