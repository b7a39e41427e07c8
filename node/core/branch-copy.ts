import type { BranchBase } from './branch.ts';
import { replyIdOf } from './letter-id.ts';
import { decodeMailbox, emptyMailbox, encodeMailbox, type Letter, type Mailbox, whyTooMuch } from './mailbox.ts';
import type { TaskResult } from './message.ts';
import { isOver, type ResultTable } from './result-table.ts';

/** A branch as one of its keepers had it: whole states, results of all steps that were remembered. */
export interface BranchCopy {
  branch: string;
  number: number;
  base: BranchBase;
  baseState: Uint8Array;
  sequence: number;
  state: Uint8Array;
  results: readonly TaskResult[];
}

/** What ended on the branch, in the order of its steps. */
export const doneOn = ({ base, results }: Pick<BranchCopy, 'base' | 'results'>): TaskResult[] =>
  results.filter((result) => result.sequence > base.sequence && isOver(result));

/** Those of its tasks that the majority's history ended, too, since they parted. */
export function doneByBoth(copy: BranchCopy, ours: ResultTable): string[] {
  return doneOn(copy).flatMap(({ task }) => {
    const known = ours.get(task);
    return known !== undefined && isOver(known) && known.sequence > copy.base.sequence ? [task] : [];
  });
}

/** Those that the majority's history does not know as over: their answers stand from the merge on. */
export const toTakeOver = (copy: BranchCopy, ours: ResultTable): TaskResult[] =>
  doneOn(copy).filter(({ task }) => {
    const known = ours.get(task);
    return known === undefined || !isOver(known);
  });

/** The agent's own part of a whole state. */
export const ownPart = (state: Uint8Array): Uint8Array => state.subarray(0, decodeMailbox(state).length);

/** What a branch's tasks wanted to send, the timers that they set, and the names of those that they took back. */
export function wantedBy(baseState: Uint8Array, state: Uint8Array): Wanted {
  const [{ mailbox: base }, { mailbox: theirs }] = [decodeMailbox(baseState), decodeMailbox(state)];
  const before = new Set([...base.letters, ...base.timers].map(({ id }) => id));
  const names = new Set(theirs.timers.map(({ name }) => name));
  return {
    letters: theirs.letters.filter(({ id }) => !before.has(id)),
    timers: theirs.timers.filter(({ id }) => !before.has(id)),
    takenBack: base.timers.flatMap(({ name }) => (names.has(name) ? [] : [name])),
  };
}

export interface Wanted extends Mailbox {
  takenBack: string[];
}

/**
 * Our mailbox with what the branch's tasks sent, and the timers that they set and took back. Letters leave with the step
 * `sequence`. What came with another part of the branch is not taken in twice. A text says why there cannot be that much
 * under way.
 */
export function joinMailboxes(
  copy: BranchCopy,
  ours: Mailbox,
  sequence: number,
  results: Pick<ResultTable, 'get'>,
): Mailbox | string {
  const { mailbox: base } = decodeMailbox(copy.baseState);
  const { mailbox: theirs } = decodeMailbox(copy.state);
  const before = new Set([...base.letters, ...base.timers].map(({ id }) => id));
  const kept = new Set(theirs.timers.map(({ id }) => id));
  const here = new Set(ours.letters.map(({ id }) => id));
  const isNew = ({ id }: { id: string }): boolean => !before.has(id) && !here.has(id);
  const hasFired = (id: string): boolean => {
    const result = results.get(id);
    return result !== undefined && isOver(result);
  };
  // One whose answer has come settled with another part of the branch.
  const isOpen = (letter: Letter): boolean => isNew(letter) && !hasFired(replyIdOf(letter.id));
  const letters = theirs.letters.filter(isOpen).map((letter) => ({ ...letter, sequence }));
  const set = theirs.timers.filter(({ id }) => !before.has(id) && !hasFired(id));
  const names = new Set(set.map(({ name }) => name));
  const isGone = ({ id, name }: { id: string; name: string }): boolean =>
    names.has(name) || (before.has(id) && !kept.has(id));
  const timers = [...ours.timers.filter((timer) => !isGone(timer)), ...set];
  const after = { letters: [...ours.letters, ...letters], timers };
  if (letters.length === 0 && set.length === 0 && timers.length === ours.timers.length) return ours;
  if (after.letters.length === 0 && timers.length === 0) return emptyMailbox;
  return whyTooMuch(after, encodeMailbox(after).byteLength) ?? after;
}
