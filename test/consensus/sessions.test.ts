import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Serial, Sessions } from '../../consensus/sessions.ts';

const limits = { sessionsMax: 3, resultsMax: 2, idleEntriesMax: 20 };
const by = (session: string, serial: number, lowest = 1): Serial => ({ session, serial, lowest });

describe('a session', () => {
  it('lets a command take effect once, and answers it each time with what came of it', () => {
    const sessions = new Sessions<string>(limits);
    sessions.open('s', 1);
    expect(sessions.begin(by('s', 1), 2)).toEqual({ kind: 'new' });
    sessions.end(by('s', 1), 'done at 2');
    expect(sessions.begin(by('s', 1), 3)).toEqual({ kind: 'done', result: 'done at 2' });
    expect(sessions.begin(by('s', 2), 4)).toEqual({ kind: 'new' });
  });

  it('forgets what its client knows, and takes none of it for new', () => {
    const sessions = new Sessions<string>(limits);
    sessions.open('s', 1);
    for (const serial of [1, 2]) sessions.end(by('s', serial), `${serial}`);
    expect(sessions.begin(by('s', 3, 3), 2)).toEqual({ kind: 'new' });
    for (const serial of [1, 2]) expect(sessions.begin(by('s', serial), 3)).toEqual({ kind: 'expired' });
  });

  it('that was never opened, or was not used for long, is over', () => {
    const sessions = new Sessions<string>(limits);
    expect(sessions.begin(by('s', 1), 1)).toEqual({ kind: 'expired' });
    sessions.open('s', 1);
    expect(sessions.begin(by('s', 1), 1 + limits.idleEntriesMax)).toEqual({ kind: 'new' });
    expect(sessions.begin(by('s', 1), 2 + 2 * limits.idleEntriesMax)).toEqual({ kind: 'expired' });
  });

  it('makes room for others when it was unused for longest, and for its own newer results', () => {
    const sessions = new Sessions<string>(limits);
    for (const [index, name] of ['a', 'b', 'c'].entries()) sessions.open(name, index + 1);
    sessions.begin(by('a', 1), 4);
    sessions.open('d', 5);
    expect(['a', 'b', 'c', 'd'].map((name) => sessions.has(name))).toEqual([true, false, true, true]);
    for (const serial of [1, 2, 3]) sessions.end(by('a', serial), `${serial}`);
    expect(sessions.begin(by('a', 1), 6)).toEqual({ kind: 'expired' });
    expect(sessions.begin(by('a', 3), 7)).toEqual({ kind: 'done', result: '3' });
  });
});

/** Keeps the whole history, and decides by what the words mean. */
class SlowSessions {
  #history: { index: number; session: string; serial: number; lowest: number; effect: boolean }[] = [];
  readonly #opened = new Set<string>();

  open(session: string): void {
    this.#opened.add(session);
  }

  /** Without limits: new when it never took effect and nobody said that its outcome is known. */
  begin({ session, serial, lowest }: Serial, index: number): string {
    if (!this.#opened.has(session)) return 'expired';
    const mine = this.#history.filter((one) => one.session === session);
    const known = Math.max(1, ...[...mine, { serial, lowest }].map((one) => Math.min(one.lowest, one.serial)));
    const before = mine.find((one) => one.serial === serial && one.effect);
    const isForgotten = serial < known;
    const kind = isForgotten ? 'expired' : before !== undefined ? 'done' : 'new';
    this.#history.push({ index, session, serial, lowest, effect: kind === 'new' });
    return kind === 'done' ? `done ${before?.index}` : kind;
  }
}

const step = fc.record({
  session: fc.constantFrom('a', 'b'),
  opens: fc.boolean(),
  serial: fc.integer({ min: 1, max: 6 }),
  lowest: fc.integer({ min: 1, max: 6 }),
  restores: fc.boolean(),
});

describe('sessions', () => {
  it('say what their whole history says, also after they went through a snapshot', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const wide = { sessionsMax: 100, resultsMax: 100, idleEntriesMax: 1_000 };
        let copy = new Sessions<number>(wide);
        const sessions = new Sessions<number>(wide);
        const slow = new SlowSessions();
        for (const [place, { session, opens, serial, lowest, restores }] of steps.entries()) {
          const index = place + 1;
          if (opens) for (const one of [sessions, copy]) one.open(session, index);
          if (opens) slow.open(session);
          const command = by(session, serial, Math.min(lowest, serial));
          const told = [sessions, copy].map((one) => {
            const standing = one.begin(command, index);
            if (standing.kind === 'new') one.end(command, index);
            return standing.kind === 'done' ? `done ${standing.result}` : standing.kind;
          });
          const expected = slow.begin(command, index);
          expect(told).toEqual([expected, expected]);
          if (!restores) continue;
          const restored = new Sessions<number>(wide);
          restored.load(JSON.parse(JSON.stringify(copy.encode())) as ReturnType<typeof copy.encode>);
          copy = restored;
        }
        expect(copy.encode()).toEqual(sessions.encode());
      }),
      { numRuns: 500 },
    );
  });
});
