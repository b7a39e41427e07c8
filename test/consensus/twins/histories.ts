import fc from 'fast-check';
import { type Entry, entryKinds } from '../../../consensus/raft.ts';

/**
 * Logs as several leaders may leave them behind: each term's leader goes on from a beginning of some log that there was.
 * So two logs that agree on an entry agree on all before it, as Raft promises, and otherwise anything goes. All begin with
 * the root.
 */
export function histories(root: readonly Entry[] = [], termsMax = 6): fc.Arbitrary<Entry[][]> {
  const reign = fc.record({ parent: fc.nat(100), kept: fc.nat(100), length: fc.integer({ min: 1, max: 4 }) });
  return fc.array(reign, { minLength: 1, maxLength: termsMax }).map((reigns) => {
    const logs: Entry[][] = [[...root]];
    const rootTerm = root.at(-1)?.term ?? 0;
    for (const [place, { parent, kept, length }] of reigns.entries()) {
      const from = logs[parent % logs.length] ?? [];
      const log = from.slice(0, root.length + (kept % (from.length - root.length + 1)));
      const term = rootTerm + place + 1;
      for (let count = 0; count < length; count += 1) log.push(entryOf(log.length + 1, term));
      logs.push(log);
    }
    return logs;
  });
}

/** Two logs of one history, each cut somewhere, and a term that is above both. */
export function pairs(root: readonly Entry[] = []): fc.Arbitrary<{ ours: Entry[]; theirs: Entry[]; term: number }> {
  const draw = fc.nat(100);
  return fc.tuple(histories(root), draw, draw, draw, draw).map(([logs, a, b, x, y]) => {
    const [one, other] = [logs[a % logs.length] ?? [], logs[b % logs.length] ?? []];
    const cut = (log: Entry[], by: number): Entry[] => log.slice(0, Math.max(root.length, log.length - (by % 3)));
    return { ours: cut(one, x), theirs: cut(other, y), term: logs.length + 2 };
  });
}

/** Where two logs agree up to, by looking at one entry after the other. */
export function agreement(a: readonly Entry[], b: readonly Entry[]): number {
  let index = 0;
  while (index < a.length && a[index]?.term === b[index]?.term && index < b.length) index += 1;
  return index;
}

/** An entry that is told from every other by its data. */
export function entryOf(index: number, term: number, bytes = 0): Entry {
  const text = `${index}/${term}`.padEnd(bytes, '.');
  return { index, term, kind: entryKinds.command, data: Buffer.from(text) };
}

/** A log as text: short to compare, short to read. */
export function texts(entries: readonly (Entry | undefined)[]): string[] {
  return entries.map((entry) => (entry ? `${entry.index}/${entry.term}` : '-'));
}
