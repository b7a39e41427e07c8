import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Log } from '../../../consensus/log.ts';
import type { Entry } from '../../../consensus/raft.ts';
import { entryOf, histories, pairs, texts } from './histories.ts';

/** The log as anybody would write it at first: an array, and a loop for every question. */
class SlowLog {
  entries: Entry[] = [];
  base = { index: 0, term: 0 };

  get lastIndex(): number {
    return this.entries.at(-1)?.index ?? this.base.index;
  }

  get lastTerm(): number {
    return this.entries.at(-1)?.term ?? this.base.term;
  }

  termAt(index: number): number | undefined {
    if (index === this.base.index) return this.base.term;
    for (const entry of this.entries) if (entry.index === index) return entry.term;
    return undefined;
  }

  firstIndexOfTermAt(index: number): number {
    const term = this.termAt(index);
    let first = index;
    while (first > this.base.index + 1 && this.termAt(first - 1) === term) first -= 1;
    return first;
  }

  lastIndexUpToTerm(term: number): number {
    let last = this.base.index;
    for (const entry of this.entries) if (entry.term <= term) last = entry.index;
    return last;
  }

  slice(from: number, entriesMax: number, bytesMax: number): Entry[] {
    const taken: Entry[] = [];
    let bytes = 0;
    for (const entry of this.entries) {
      if (entry.index < from) continue;
      bytes += entry.data.byteLength;
      if (taken.length === entriesMax || (taken.length > 0 && bytes > bytesMax)) break;
      taken.push(entry);
    }
    return taken;
  }
}

interface Model {
  slow: SlowLog;
  /** What the disk was told, one change after the other. */
  disk: Entry[];
}

class Append implements fc.Command<Model, Log> {
  readonly terms: readonly number[];
  constructor(terms: readonly number[]) {
    this.terms = terms;
  }
  check = (): boolean => true;
  run({ slow }: Model, log: Log): void {
    const entries: Entry[] = [];
    let term = Math.max(1, slow.lastTerm);
    for (const more of this.terms) {
      term += more;
      entries.push(entryOf(slow.lastIndex + entries.length + 1, term, 1 + (term % 5) * 4));
    }
    log.append(entries);
    slow.entries.push(...entries);
  }
  toString = (): string => `append(+${this.terms})`;
}

class Truncate implements fc.Command<Model, Log> {
  readonly draw: number;
  constructor(draw: number) {
    this.draw = draw;
  }
  check = ({ slow }: Model): boolean => slow.entries.length > 0;
  run({ slow }: Model, log: Log): void {
    const index = slow.lastIndex - (this.draw % slow.entries.length);
    log.truncateFrom(index);
    slow.entries = slow.entries.filter((entry) => entry.index < index);
  }
  toString = (): string => `truncate(${this.draw})`;
}

/** A snapshot takes the place of the first entries. */
class Compact implements fc.Command<Model, Log> {
  readonly draw: number;
  constructor(draw: number) {
    this.draw = draw;
  }
  check = ({ slow }: Model): boolean => slow.entries.length > 0;
  run({ slow }: Model, log: Log): void {
    const index = slow.base.index + (this.draw % (slow.entries.length + 1));
    const term = slow.termAt(index) as number;
    log.compactTo(index);
    slow.entries = slow.entries.filter((entry) => entry.index > index);
    slow.base = { index, term };
  }
  toString = (): string => `compact(${this.draw})`;
}

/** A leader's snapshot takes the place of everything. */
class Reset implements fc.Command<Model, Log> {
  readonly draw: number;
  constructor(draw: number) {
    this.draw = draw;
  }
  check = (): boolean => true;
  run({ slow }: Model, log: Log): void {
    const index = slow.base.index + 1 + (this.draw % (slow.entries.length + 3));
    const base = { index, term: slow.lastTerm + 1 };
    log.resetTo(base);
    slow.entries = [];
    slow.base = base;
  }
  toString = (): string => `reset(${this.draw})`;
}

class Save implements fc.Command<Model, Log> {
  check = (): boolean => true;
  run = (model: Model, log: Log): void => saveBoth(model, log);
  toString = (): string => 'save';
}

class Ask implements fc.Command<Model, Log> {
  readonly draw: number;
  constructor(draw: number) {
    this.draw = draw;
  }
  check = (): boolean => true;
  run = ({ slow }: Model, log: Log): void => askBoth(slow, log, this.draw);
  toString = (): string => `ask(${this.draw})`;
}

/** The disk does what it is told, and can check each step against what it holds. */
function saveBoth(model: Model, log: Log): void {
  const { cut, drop, entries } = log.takeChange();
  if (cut !== undefined) {
    expect(cut.through).toBe(model.disk.at(-1)?.index);
    model.disk = model.disk.filter(({ index }) => index < cut.from);
  }
  if (drop !== undefined) {
    // What is to go is there, or was cut off just now.
    if (cut === undefined) expect(drop.from).toBe(model.disk[0]?.index);
    model.disk = model.disk.filter(({ index }) => index < drop.from || index > drop.through);
  }
  for (const entry of entries) {
    const last = model.disk.at(-1);
    if (last !== undefined) expect(entry.index).toBe(last.index + 1);
    model.disk.push(entry);
  }
  expect(texts(model.disk)).toEqual(texts(model.slow.entries));
}

/** Every question that there is, also about places where nothing is. */
function askBoth(slow: SlowLog, log: Log, draw: number): void {
  const last = slow.lastIndex;
  expect([log.base, log.lastIndex, log.lastTerm]).toEqual([slow.base, last, slow.lastTerm]);
  for (let index = 0; index <= last + 2; index += 1) {
    expect(log.termAt(index)).toBe(slow.termAt(index));
    expect(log.entry(index)).toBe(slow.entries.find((entry) => entry.index === index));
    if (index > slow.base.index && index <= last)
      expect(log.firstIndexOfTermAt(index)).toBe(slow.firstIndexOfTermAt(index));
  }
  for (let term = 0; term <= log.lastTerm + 1; term += 1) {
    expect(log.lastIndexUpToTerm(term)).toBe(slow.lastIndexUpToTerm(term));
  }
  const from = slow.base.index + 1 + (draw % (slow.entries.length + 2));
  const [most, bytes] = [1 + (draw % 5), draw % 40];
  expect(texts(log.slice(from, most, bytes))).toEqual(texts(slow.slice(from, most, bytes)));
}

describe('the log', () => {
  it('is the plain array that it looks like, and the disk that does what it is told holds the same', () => {
    const commands = [
      fc.array(fc.nat(2), { maxLength: 4 }).map((terms) => new Append(terms)),
      fc.nat(20).map((draw) => new Truncate(draw)),
      fc.nat(20).map((draw) => new Compact(draw)),
      fc.nat(20).map((draw) => new Reset(draw)),
      fc.constant(new Save()),
      fc.nat(200).map((draw) => new Ask(draw)),
    ];
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 40 }), (run) => {
        fc.modelRun(() => ({ model: { slow: new SlowLog(), disk: [] }, real: new Log([], 0) }), run);
      }),
      { numRuns: 400 },
    );
  });

  it('that was read from a disk has nothing to tell it', () => {
    fc.assert(
      fc.property(histories(), (logs) => {
        const entries = logs.at(-1) ?? [];
        const log = new Log(entries, entries.at(-1)?.term ?? 0);
        expect(log.takeChange()).toEqual({ cut: undefined, drop: undefined, entries: [] });
        expect(log.lastIndex).toBe(entries.length);
      }),
    );
  });

  it('is covered by another that ends with a later term, or with the same and is as long', () => {
    fc.assert(
      fc.property(pairs(), ({ ours, theirs, term }) => {
        const [own, other] = [ours.at(-1), theirs.at(-1)];
        // The paper, 5.4.1: "If the logs have last entries with different terms, then the log with the later term is more
        // up-to-date. If the logs end with the same term, then whichever log is longer is more up-to-date."
        const [ownTerm, otherTerm] = [own?.term ?? 0, other?.term ?? 0];
        const isBehind = ownTerm === otherTerm ? theirs.length < ours.length : otherTerm < ownTerm;
        expect(new Log(ours, term).isCoveredBy(other?.index ?? 0, otherTerm)).toBe(!isBehind);
      }),
    );
  });
});
