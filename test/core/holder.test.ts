import { describe, expect, test } from 'vitest';
import type { Context } from '../../node/core/context.ts';
import type { Write } from '../../node/core/effect.ts';
import { Holder } from '../../node/core/holder.ts';
import type { Checkpoint, Known, MessageOf, Profile } from '../../node/core/message.ts';
import { Outbox } from '../../node/core/outbox.ts';
import { keys, writeHolder } from '../../node/core/records.ts';
import { restore } from '../../node/core/restored.ts';
import { defaultSettings, limits, type Settings } from '../../node/core/settings.ts';
import { StateBytes } from '../../node/core/state-bytes.ts';
import { changeBetween } from '../../node/core/state-change.ts';

type Replicate = MessageOf<'replicate'>;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (state: Uint8Array): string => new TextDecoder().decode(state);
const checksumOf = (state: Uint8Array): number => StateBytes.of(state, 64).checksum;
const small = { statePartBytes: 8, stateInlineBytes: 10, stateChangesMax: 3, stateChangesBytesMax: 1_000 };

/** A holder on a disk, and the disk as it was after each of its batches. */
function onDisk(records = new Map<string, Uint8Array>(), settings: Partial<Settings> = small) {
  const out = new Outbox();
  const context: Context = {
    ...{ self: 'n2', boot: 1, start: '', profile: {} as Profile, settings: { ...defaultSettings, ...settings }, out },
    ...{ random: () => 0.5, nowMs: 0, wallMs: 0 },
  };
  const holder = new Holder(context, restore(records), () => false);
  const disk = new Map(records);
  const write = ({ key, value }: Write): void => void (value === undefined ? disk.delete(key) : disk.set(key, value));
  /** The answer, when all that it waits for is on the disk. */
  const settle = <T>(ask: (answer: (given: T) => void) => void): T | undefined => {
    let given: T | undefined;
    ask((answer) => {
      given = answer;
    });
    for (const effect of out.take()) {
      if (effect.type !== 'persist') continue;
      for (const each of effect.writes) write(each);
      out.persisted(effect.id);
    }
    return given;
  };
  const replicate = (message: Replicate) =>
    settle<MessageOf<'replicated'>>((answer) => holder.replicate(message, answer));
  const seal = (epoch: number, known?: Known): Checkpoint | undefined =>
    settle<MessageOf<'sealed'>>((answer) => holder.seal('a', epoch, known, answer))?.checkpoint;
  return { holder, disk, replicate, seal, settle };
}

const whole = (sequence: number, state: string, epoch = 1): Replicate => ({
  ...{
    agent: 'a',
    epoch,
    sequence,
    previousEpoch: 0,
    previousSequence: 0,
    full: true,
    state: bytes(state),
    changes: [],
    results: [],
  },
  ...{ checksum: checksumOf(bytes(state)), resultsFrom: 0 },
});

function step(sequence: number, before: string, after: string, epoch = 1): Replicate {
  const change = changeBetween(bytes(before), bytes(after));
  return {
    ...{ agent: 'a', epoch, sequence, previousEpoch: epoch, previousSequence: sequence - 1 },
    ...{ full: false, state: bytes(''), results: [] },
    ...{ changes: change === undefined ? [] : [change], checksum: checksumOf(bytes(after)), resultsFrom: 0 },
  };
}

const count = (disk: ReadonlyMap<string, Uint8Array>, prefix: string): number =>
  [...disk.keys()].filter((key) => key.startsWith(prefix)).length;

/** Grows past what one record holds, changes here and there, and gets small again. */
const history = [
  'one',
  'one two',
  'one two three four five six seven',
  'one two three 4 five six seven',
  'one two three 4 five six seven',
  'ONE two three 4 five six seven eight',
  'ONE two three 4 five six seven eight nine ten',
  'ONE two three 4 five seven eight nine ten',
  'ONE two 3 4 five seven eight nine ten',
  'ONE two',
  'ONE two and so on, and so forth',
];

describe('a holder', () => {
  test('that starts again after any of its writes has the state of that step, and goes on from there', () => {
    let at = onDisk();
    at.replicate(whole(0, history[0] as string));
    for (const [i, after] of history.entries()) {
      if (i === 0) continue;
      expect(at.replicate(step(i, history[i - 1] as string, after))).toMatchObject({ accepted: true, sequence: i });
      const again = onDisk(at.disk);
      expect(text(again.seal(1)?.state ?? bytes('?')), `step ${i}`).toBe(after);
      if (i % 2 === 0) at = onDisk(at.disk);
    }
  });

  test('keeps a small state in one record, a large one as parts and some changes, and nothing else', () => {
    const { disk, replicate } = onDisk();
    replicate(whole(0, history[0] as string));
    for (let i = 1; i < history.length - 2; i++) {
      replicate(step(i, history[i - 1] as string, history[i] as string));
      expect(count(disk, 'state-step/')).toBeLessThanOrEqual(small.stateChangesMax);
      const { length } = StateBytes.of(bytes(history[i] as string), small.statePartBytes).parts;
      expect(count(disk, 'state-part/')).toBeLessThanOrEqual(2 * length + 1);
    }
    expect(count(disk, 'state-part/')).toBeGreaterThan(2);
    replicate(step(9, history[8] as string, history[9] as string));
    expect([...disk.keys()]).toEqual([keys.holder('a')]);
  });

  test('writes only the parts that were touched when it takes changes in', () => {
    const large = 'x'.repeat(800);
    const { disk, replicate } = onDisk();
    replicate(whole(0, large));
    const before = new Map(disk);
    const after = [1, 2, 3, 4].reduce((state, i) => {
      const next = `${state.slice(0, 400)}${i}${state.slice(401)}`;
      replicate(step(i, state, next));
      return next;
    }, large);
    expect(count(disk, 'state-step/')).toBe(0);
    const parts = [...disk].filter(([key]) => key.startsWith('state-part/'));
    expect(parts.filter(([key]) => !before.has(key)).length).toBe(1);
    expect(parts.length).toBe(100);
    expect(text(onDisk(disk).seal(2)?.state ?? bytes(''))).toBe(after);
  });

  test('that lets go of a state keeps one small record, refuses older epochs as before, and takes later ones', () => {
    const { holder, disk, replicate, settle, seal } = onDisk();
    replicate(whole(0, history[0] as string, 3));
    for (let i = 1; i < 8; i++) replicate(step(i, history[i - 1] as string, history[i] as string, 3));
    expect(disk.size).toBeGreaterThan(3);
    settle(() => holder.letGo('a', 5));
    expect([...disk.keys()]).toEqual([keys.holder('a')]);
    for (const { holder: now } of [{ holder }, onDisk(disk)]) {
      expect(now.kept('a')).toBeUndefined();
      expect(now.stepOf('a')).toMatchObject({ sealedEpoch: 5, epoch: 0, sequence: 0 });
    }
    expect(replicate(whole(9, 'late', 4))).toMatchObject({ accepted: false, sealedEpoch: 5 });
    expect(replicate(step(8, history[7] as string, history[8] as string, 3))).toMatchObject({ accepted: false });
    expect(replicate({ ...step(1, 'one', 'one two', 6), previousEpoch: 3 })).toMatchObject({ needsFull: true });
    expect(replicate(whole(1, 'one two', 6))).toMatchObject({ accepted: true });
    expect(text(seal(7)?.state ?? bytes('?'))).toBe('one two');
  });

  test('starts from a record as it was before there were parts, and keeps it when it is sealed', () => {
    const state = bytes('a state that is larger than what one record should have');
    const record = { sealedEpoch: 1, epoch: 1, sequence: 4, state, checksum: 0 };
    const { value } = writeHolder('a', record);
    const { disk, seal } = onDisk(new Map([[keys.holder('a'), value as Uint8Array]]));
    expect(seal(3)?.state).toEqual(state);
    expect(onDisk(disk).seal(3)?.state).toEqual(state);
  });

  test('that gives an agent up leaves nothing on its disk', () => {
    const { disk, replicate, holder, settle } = onDisk();
    replicate(whole(0, history[2] as string));
    replicate(step(1, history[2] as string, history[3] as string));
    expect(disk.size).toBeGreaterThan(4);
    settle(() => holder.onGone('a', 9));
    expect(disk.size).toBe(0);
  });

  const first = history[2] as string;
  const change = { previousLength: first.length, offset: 3, removed: 1, inserted: bytes('-') };
  const good = step(1, first, history[3] as string);
  test.each<[string, Replicate]>([
    ['a change of a state of another length', { ...good, changes: [{ ...change, previousLength: 2 }] }],
    ['a change behind the end', { ...good, changes: [{ ...change, offset: first.length + 1 }] }],
    ['a change that removes too much', { ...good, changes: [{ ...change, removed: first.length }] }],
    ['a change that does not lead to the checksum', { ...good, changes: [change] }],
    ['no change where there must be one', { ...good, changes: [] }],
    [
      'a state that grows too large',
      { ...good, changes: [{ ...change, inserted: new Uint8Array(limits.stateBytesMax) }] },
    ],
    ['a change of a step that it does not have', { ...good, sequence: 9, previousSequence: 8 }],
  ])('believes nothing of %s, keeps what it has, and asks for the whole state', (_name, message) => {
    const { disk, replicate, seal } = onDisk();
    replicate(whole(0, first));
    const before = new Map(disk);
    expect(replicate(message)).toMatchObject({ accepted: false, needsFull: true });
    expect(disk).toEqual(before);
    expect(replicate(good)).toMatchObject({ accepted: true });
    expect(text(seal(1)?.state ?? bytes(''))).toBe(history[3]);
  });

  test.each<[string, Replicate]>([
    ['has another checksum', { ...whole(5, 'other'), checksum: 1 }],
    ['is too large', { ...whole(5, ''), state: new Uint8Array(limits.stateBytesMax + 1) }],
  ])('does not answer to a whole state that %s', (_name, message) => {
    const { disk, replicate } = onDisk();
    replicate(whole(0, first));
    const before = new Map(disk);
    expect(replicate(message)).toBeUndefined();
    expect(disk).toEqual(before);
  });

  test('does not start from parts that are not those of its last step', () => {
    const { disk, replicate } = onDisk();
    replicate(whole(0, first));
    replicate(good);
    const without = (prefix: string) => new Map([...disk].filter(([key]) => !key.startsWith(prefix)));
    expect(() => onDisk(without('state-step/'))).toThrow(/not what was written as step 1/);
    expect(() => onDisk(without('state-part/'))).toThrow(/is not on the disk/);
  });

  test('hands its state over only to who does not know it', () => {
    const { replicate, seal } = onDisk();
    replicate(whole(3, 'abc'));
    const known = { epoch: 1, sequence: 3, checksum: checksumOf(bytes('abc')) };
    expect(seal(2, known)).toBeUndefined();
    expect(seal(3, { ...known, sequence: 4 })).toBeUndefined();
    expect(seal(4, { ...known, epoch: 2, sequence: 0 })).toBeUndefined();
    expect(seal(5, { ...known, sequence: 2 })).toMatchObject({ epoch: 1, sequence: 3 });
    expect(seal(6, { ...known, checksum: 1 })).toMatchObject({ epoch: 1, sequence: 3 });
    expect(seal(7)).toMatchObject({ epoch: 1, sequence: 3 });
  });

  test('goes on in a later epoch from the step that it has, and from no other', () => {
    const { replicate } = onDisk();
    replicate(whole(3, 'abc'));
    const same: Replicate = { ...step(3, 'abc', 'abc', 5), previousEpoch: 1, previousSequence: 3 };
    expect(replicate({ ...same, previousEpoch: 2 })).toMatchObject({ accepted: false, needsFull: true });
    expect(replicate({ ...same, previousSequence: 2 })).toMatchObject({ accepted: false, needsFull: true });
    expect(replicate({ ...same, checksum: 1 })).toMatchObject({ accepted: false, needsFull: true });
    expect(replicate(same)).toMatchObject({ accepted: true, epoch: 5, sequence: 3 });
    expect(replicate(step(4, 'abc', 'abd', 5))).toMatchObject({ accepted: true });
    // The epoch before is over.
    expect(replicate(step(4, 'abc', 'abx', 1))).toMatchObject({ accepted: false, needsFull: false });
  });
});
