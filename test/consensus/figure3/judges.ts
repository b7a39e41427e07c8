import type { Entry, Role } from '../../../consensus/raft.ts';

/** What can be seen of a running node from outside. */
export interface Sight {
  id: string;
  role: Role;
  term: number;
  /** By index: place 0 is index 1. What it does not hold any more, or never held, is undefined. */
  log: readonly (Entry | undefined)[];
  /** What its state machine was given in this life, in order. */
  applied: readonly Entry[];
}

/** Looks at all running nodes after every step, and throws when its property was broken. It believes nobody. */
export type Judge = (sights: readonly Sight[]) => void;

/** "At most one leader can be elected in a given term." */
export function electionSafety(): Judge {
  const leaders = new Map<number, string>();
  return (sights) => {
    for (const { id, role, term } of sights) {
      if (role !== 'leader') continue;
      const known = leaders.get(term) ?? id;
      if (known !== id) throw new Error(`election safety: ${known} and ${id} lead term ${term}`);
      leaders.set(term, id);
    }
  };
}

/** "A leader never overwrites or deletes entries in its log; it only appends new entries." */
export function leaderAppendOnly(): Judge {
  const logs = new Map<string, readonly (Entry | undefined)[]>();
  return (sights) => {
    for (const { id, role, term, log } of sights) {
      if (role !== 'leader') continue;
      const before = logs.get(`${id} ${term}`) ?? [];
      for (const [place, entry] of before.entries()) {
        if (place >= log.length) throw new Error(`leader append-only: ${id} drops ${place + 1} in term ${term}`);
        if (differ(entry, log[place]))
          throw new Error(`leader append-only: ${id} replaces ${place + 1} in term ${term}`);
      }
      logs.set(`${id} ${term}`, log);
    }
  };
}

/**
 * "If two logs contain an entry with the same index and term, then the logs are identical in all entries up through the
 * given index."
 */
export function logMatching(): Judge {
  return (sights) => {
    for (const [place, one] of sights.entries()) {
      for (const other of sights.slice(place + 1)) {
        let agreed = false;
        for (let at = Math.min(one.log.length, other.log.length) - 1; at >= 0; at -= 1) {
          const [a, b] = [one.log[at], other.log[at]];
          agreed ||= a !== undefined && a.term === b?.term;
          if (agreed && differ(a, b)) throw new Error(`log matching: ${one.id} and ${other.id} differ at ${at + 1}`);
        }
      }
    }
  };
}

/**
 * "If a log entry is committed in a given term, then that entry will be present in the logs of the leaders for all
 * higher-numbered terms." Committed is what any state machine was given; the term is at most that of the node which gave
 * it first.
 */
export function leaderCompleteness(): Judge {
  const committed = new Map<number, { entry: Entry; term: number }>();
  return (sights) => {
    for (const { term, applied } of sights) {
      for (const entry of applied) if (!committed.has(entry.index)) committed.set(entry.index, { entry, term });
    }
    for (const { id, role, term: leads, log } of sights) {
      if (role !== 'leader') continue;
      for (const [index, { entry, term }] of committed) {
        if (term >= leads) continue;
        const own = log[index - 1];
        if (index > log.length || differ(entry, own)) {
          throw new Error(`leader completeness: ${id} leads term ${leads} without ${index} of term ${entry.term}`);
        }
      }
    }
  };
}

/**
 * "If a server has applied a log entry at a given index to its state machine, no other server will ever apply a different
 * log entry for the same index." Nor does it itself, in another life, nor does it leave one out.
 */
export function stateMachineSafety(): Judge {
  const known = new Map<number, Entry>();
  return (sights) => {
    for (const { id, applied } of sights) {
      let before: number | undefined;
      for (const entry of applied) {
        if (before !== undefined && entry.index !== before + 1)
          throw new Error(`state machine: ${id} skips ${before + 1}`);
        before = entry.index;
        const first = known.get(entry.index);
        if (first === undefined) known.set(entry.index, entry);
        else if (differ(first, entry)) throw new Error(`state machine safety: ${id} applies another ${entry.index}`);
      }
    }
  };
}

export const judges = { electionSafety, leaderAppendOnly, logMatching, leaderCompleteness, stateMachineSafety };

/** What was compacted away is not known, and contradicts nothing. */
function differ(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return false;
  return a.term !== b.term || a.kind !== b.kind || Buffer.compare(a.data, b.data) !== 0;
}
