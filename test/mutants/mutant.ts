/** Where in the program a mutant is planted; each room has a file of the catalogue. */
export type Room =
  | 'consensus'
  | 'membership'
  | 'placement'
  | 'replication'
  | 'messaging'
  | 'reconciliation'
  | 'autonomy';

/** A change of one place in a file. */
export interface Edit {
  /** Exact text; it must occur in the file exactly once. */
  from: string;
  to: string;
}

/**
 * A copy of the program with one change in it. A defect must be found by the simulator, by a broken promise and not by
 * a program that threw; a harmless change must not be flagged.
 */
export interface Mutant {
  /** In kebab-case. */
  name: string;
  room: Room;
  /** What is wrong with it, and which real system or class of bugs knows it; of a harmless one, why it is right. */
  what: string;
  /** The file that is changed, from the root of the tree. */
  file: string;
  edits: readonly Edit[];
  harmless?: true;
  /** Looked for by the swarm of consensus alone, which sees far more entries and elections than the whole program. */
  alone?: true;
  /** How many seeds it may take to find it, where that is not the usual number. */
  seedsMax?: number;
}

const shownMax = 80;

/**
 * The text of a file with all edits made. Throws when a `from` does not occur in the text exactly once: the code has
 * moved on, and the mutant with it is no longer what it says.
 */
export function applyMutant(text: string, edits: readonly Edit[]): string {
  let changed = text;
  for (const { from, to } of edits) {
    const count = from === '' ? 0 : text.split(from).length - 1;
    if (count !== 1 || !changed.includes(from)) throw new Error(drifted(from, count));
    // A function, since a text would give a meaning to `$&` in it.
    changed = changed.replace(from, () => to);
  }
  return changed;
}

function drifted(from: string, count: number): string {
  const shown = from.length > shownMax ? `${from.slice(0, shownMax)}…` : from;
  const problem = count === 1 ? 'overlaps an edit before it' : `occurs ${count} times, it must occur once`;
  return `The text "${shown}" ${problem}. Nothing was changed. Bring the mutant in line with the code.`;
}
