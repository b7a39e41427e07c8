import { describe, expect, it } from 'vitest';
import { type Entry, entryKinds } from '../../../consensus/raft.ts';
import { type Judge, judges, type Sight } from './judges.ts';

/** A log of these terms; a text behind a term makes another entry of it. */
function log(...terms: (number | string)[]): Entry[] {
  return terms.map((text, place) => {
    const data = Buffer.from(`${text}`);
    return { index: place + 1, term: Number.parseInt(`${text}`, 10), kind: entryKinds.command, data };
  });
}

function follower(id: string, term: number, held: Entry[], applied: Entry[] = []): Sight {
  return { id, role: 'follower', term, log: held, applied };
}

function leader(id: string, term: number, held: Entry[], applied: Entry[] = []): Sight {
  return { id, role: 'leader', term, log: held, applied };
}

/** Shows a judge one picture after the other. */
function show(judge: Judge, ...pictures: Sight[][]): void {
  for (const picture of pictures) judge(picture);
}

describe('the judge of election safety', () => {
  it('finds a second leader of a term, also when the first is long gone', () => {
    const first = [leader('a', 2, log(1, 2))];
    const gone = [follower('b', 2, log(1))];
    const second = [leader('b', 2, log(1, 2))];
    expect(() => show(judges.electionSafety(), first, gone, second)).toThrow('a and b lead term 2');
  });

  it('lets one lead several terms, and several lead one each', () => {
    const pictures = [[leader('a', 2, log(1))], [leader('a', 3, log(1)), leader('b', 4, log(1))]];
    expect(() => show(judges.electionSafety(), ...pictures)).not.toThrow();
  });
});

describe('the judge of leader append-only', () => {
  it('finds an entry that a leader drops or replaces while it leads', () => {
    const before = [leader('a', 2, log(1, 2, 2))];
    expect(() => show(judges.leaderAppendOnly(), before, [leader('a', 2, log(1, 2))])).toThrow('a drops 3');
    expect(() => show(judges.leaderAppendOnly(), before, [leader('a', 2, log(1, 1, 2))])).toThrow('a replaces 2');
    expect(() => show(judges.leaderAppendOnly(), before, [leader('a', 2, log(1, 2, '2x'))])).toThrow('a replaces 3');
  });

  it('lets it append, and be cut as a follower', () => {
    const pictures = [
      [leader('a', 2, log(1, 2))],
      [leader('a', 2, log(1, 2, 2))],
      [follower('a', 3, log(1))],
      [leader('a', 4, log(1, 4))],
    ];
    expect(() => show(judges.leaderAppendOnly(), ...pictures)).not.toThrow();
  });
});

describe('the judge of log matching', () => {
  it('finds two logs that agree on an entry and not on all before it', () => {
    const pair = [follower('a', 3, log(1, 1, 3)), follower('b', 3, log(1, 2, 3))];
    expect(() => show(judges.logMatching(), pair)).toThrow('a and b differ at 2');
  });

  it('finds two entries of the same index and term', () => {
    const pair = [follower('a', 2, log(1, 2)), follower('b', 2, log(1, '2x', 2))];
    expect(() => show(judges.logMatching(), pair)).toThrow('a and b differ at 2');
  });

  it('lets logs part, and be of any length', () => {
    const pair = [follower('a', 3, log(1, 2, 2)), follower('b', 3, log(1, 3)), follower('c', 3, [])];
    expect(() => show(judges.logMatching(), pair)).not.toThrow();
  });
});

describe('the judge of leader completeness', () => {
  const committed = [leader('a', 2, log(1, 2), log(1, 2))];

  it('finds a later leader that lacks what was committed, or has another in its place', () => {
    expect(() => show(judges.leaderCompleteness(), committed, [leader('b', 3, log(1))])).toThrow('without 2 of term 2');
    const other = [leader('b', 3, log(1, 1, 3))];
    expect(() => show(judges.leaderCompleteness(), committed, other)).toThrow('b leads term 3 without 2 of term 2');
  });

  it('leaves alone a leader of an earlier term that has not noticed', () => {
    expect(() => show(judges.leaderCompleteness(), committed, [leader('b', 1, log(1))])).not.toThrow();
  });
});

describe('the judge of state machine safety', () => {
  it('finds two that apply different entries at an index, and one that does in two lives', () => {
    const first = [follower('a', 2, log(1, 2), log(1, 2))];
    const other = [follower('b', 2, log(1, 1), log(1, 1))];
    expect(() => show(judges.stateMachineSafety(), first, other)).toThrow('b applies another 2');
    const later = [follower('a', 3, log(1, 3), log(1, 3))];
    expect(() => show(judges.stateMachineSafety(), first, later)).toThrow('a applies another 2');
  });

  it('finds one that leaves an entry out', () => {
    const [one, , three] = log(1, 1, 1);
    const applied = [one, three] as Entry[];
    expect(() => show(judges.stateMachineSafety(), [follower('a', 1, log(1, 1, 1), applied)])).toThrow('a skips 2');
  });
});
