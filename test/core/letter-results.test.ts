import assert from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import { agentsIn, letterId, readLetterId } from '../../node/core/letter-id.ts';
import { LetterMarks } from '../../node/core/letter-marks.ts';
import type { Letter } from '../../node/core/mailbox.ts';
import type { TaskResult } from '../../node/core/message.ts';
import { isOver, ResultTable } from '../../node/core/result-table.ts';
import { defaultSettings, limits } from '../../node/core/settings.ts';
import { encode, frameBytesMax } from '../../node/core/wire/codec.ts';
import { Random } from '../../sim/random.ts';

const nothing = new Uint8Array(0);
const id = (step: number, sender = 'a:7'): string => letterId(sender, step, 0, 0);

/** An agent that gets letters and does other tasks; a disk beside it has the rows of its steps, as its holders' disks do. */
class Receiver {
  table = new ResultTable();
  readonly disk = new Map<number, TaskResult>();
  sequence = 0;

  #add(step: Partial<TaskResult> & { task: string }): void {
    this.sequence += 1;
    const base = { ok: true, value: nothing, sequence: this.sequence, valueDropped: false };
    const result = this.table.marked({ ...base, ...step });
    const { removed, stripped } = this.table.add(result);
    this.disk.set(result.sequence, result);
    for (const { sequence } of removed) this.disk.delete(sequence);
    for (const older of stripped) this.disk.set(older.sequence, older);
  }

  /** Does the task unless it is done already. */
  do(task: string, settledBelow?: number, more: Partial<TaskResult> = {}): 'done' | 'known' | 'full' {
    const known = this.table.known({ task, settledBelow });
    if (known !== undefined && isOver(known)) return 'known';
    if (this.table.isFullFor(task)) return 'full';
    this.#add({ task, ...more });
    return 'done';
  }

  others(count: number): void {
    for (let i = 0; i < count; i++) this.#add({ task: `other-${this.sequence + 1}` });
  }

  end(sender: string): void {
    this.#add({ task: '', endedSender: sender });
  }

  /** Another host takes over, from what a disk has. Throws where the two do not know the same. */
  recover(): void {
    const rows = [...this.disk.values()].sort((a, b) => a.sequence - b.sequence);
    assert.deepEqual(this.table.all(), rows);
    this.table = new ResultTable(rows);
    assert.deepEqual(this.table.all(), rows);
  }
}

describe('the id of a letter', () => {
  test('tells its sender and its step', () => {
    expect(readLetterId(letterId('my-agent:b:7.12', 31, 0, 2))).toEqual({ sender: 'my-agent:b:7.12', step: 31 });
    for (const other of ['t1', '~t:a:7-1-0', `${id(3)}-r`, '~m:a-1']) expect(readLetterId(other)).toBeUndefined();
  });

  test('tells which agents its sender can be', () => {
    expect(agentsIn('a:7')).toEqual({ agents: ['a'], created: 7 });
    expect(agentsIn('a.b:c:7.12')).toEqual({ agents: ['a.b:c', 'a.b'], created: 7 });
  });
});

describe('a letter', () => {
  test('is known as done, however much its receiver did meanwhile, until its sender has settled it', () => {
    const receiver = new Receiver();
    const value = Uint8Array.of(1, 2, 3);
    expect(receiver.do(id(1), 0, { value })).toBe('done');
    receiver.others(2 * limits.resultsMax);
    expect(receiver.do(id(1), 0)).toBe('known');
    expect(receiver.table.get(id(1))?.value).toEqual(value);
    receiver.recover();
    expect(receiver.do(id(1), 0)).toBe('known');
    expect(receiver.table.get(id(1))?.value).toEqual(value);
    expect(receiver.disk.size).toBe(limits.resultsMax + 1);
  });

  test('is let go when it has settled, and a late copy of it is still taken for done', () => {
    const receiver = new Receiver();
    receiver.do(id(1), 0);
    receiver.do(id(2), 1);
    receiver.others(limits.resultsMax);
    expect(receiver.disk.size).toBe(limits.resultsMax + 2);
    expect(receiver.do(id(5), 3)).toBe('done');
    expect(receiver.disk.size).toBe(limits.resultsMax);
    for (const recovered of [false, true]) {
      if (recovered) receiver.recover();
      for (const step of [1, 2]) expect(receiver.do(id(step), 0)).toBe('known');
      expect(receiver.table.known({ task: id(2) })).toMatchObject({ valueDropped: true, sequence: receiver.sequence });
      // From a step that it said nothing of, it is another one.
      expect(receiver.table.known({ task: id(3) })).toBeUndefined();
    }
  });

  test('that is let go within the latest steps is taken for done at once', () => {
    const receiver = new Receiver();
    receiver.do(id(1), 0);
    receiver.do(id(2), 2);
    expect(receiver.table.get(id(1))).toBeUndefined();
    expect(receiver.do(id(1), 0)).toBe('known');
    receiver.recover();
    expect(receiver.do(id(1), 0)).toBe('known');
  });

  test('of another sender, or of a version that tells nothing, is a thing of its own', () => {
    const receiver = new Receiver();
    receiver.do(id(1), 0);
    receiver.do(id(9, 'b:8'), 9);
    expect(receiver.do(id(1), 0)).toBe('known');
    expect(receiver.do(id(1, 'c:9'))).toBe('done');
    receiver.others(limits.resultsMax);
    expect(receiver.do(id(1, 'c:9'))).toBe('done');
    expect(receiver.do(id(1), 0)).toBe('known');
  });

  test('that was set aside stays known as that when it has settled, and as cancelled when it is displaced', () => {
    const receiver = new Receiver();
    const aside = { payload: nothing, key: '', priority: 5, tries: 3, reason: 'why', retriedBy: '' };
    receiver.do(id(1), 0, { ok: false, aside });
    receiver.do(id(2), 2);
    expect(receiver.table.get(id(1))?.aside).toEqual(aside);
    receiver.do(id(3), 2, { ok: false, aside });
    receiver.others(limits.resultsMax);
    for (let i = 0; i < limits.asideMax; i++) receiver.do(`t${i}`, undefined, { ok: false, aside });
    expect(receiver.table.get(id(3))).toMatchObject({ cancelled: true });
    receiver.recover();
    expect(receiver.table.get(id(3))).toMatchObject({ cancelled: true });
    expect(receiver.do(id(3), 2)).toBe('known');
  });

  test('waits while many of its sender have not settled, but never the one that these wait for', () => {
    const receiver = new Receiver();
    const max = limits.letterResultsOfSenderMax;
    for (let step = 2; step < max + 2; step++) expect(receiver.do(id(step), 1)).toBe('done');
    expect(receiver.do(id(max + 2), 1)).toBe('full');
    expect(receiver.do(id(3), 1)).toBe('known');
    expect(receiver.do(id(1), 1)).toBe('done');
    expect(receiver.do(id(max + 2), 1)).toBe('full');
    expect(receiver.do(id(max + 2), 5)).toBe('done');
  });

  test('is known as any other task beyond the bound, the oldest first', () => {
    const receiver = new Receiver();
    for (let i = 0; i <= limits.letterResultsMax; i++) receiver.do(id(1, `s${i}:7`), 0);
    receiver.others(limits.resultsMax);
    expect(receiver.disk.size).toBe(limits.resultsMax + limits.letterResultsMax);
    expect(receiver.table.known({ task: id(1, 's0:7') })).toBeUndefined();
    expect(receiver.do(id(1, 's1:7'), 0)).toBe('known');
  });

  test('keeps nothing of its sender once that is gone', () => {
    const receiver = new Receiver();
    receiver.do(id(1), 0);
    receiver.do(id(1, 'b:8'), 0);
    receiver.others(limits.resultsMax);
    receiver.end('a:7');
    expect(receiver.table.senders()).toEqual(['b:8']);
    receiver.recover();
    expect(receiver.table.senders()).toEqual(['b:8']);
    expect(receiver.disk.size).toBe(limits.resultsMax + 1);
  });

  test('has its value for as long as the latest of letters are no more than they may be', () => {
    const receiver = new Receiver();
    const value = new Uint8Array(limits.resultBytesMax);
    const many = limits.letterResultsBytesMax / limits.resultBytesMax;
    for (let i = 0; i <= many; i++) receiver.do(id(1, `s${i}:7`), 0, { value });
    receiver.others(limits.resultsMax);
    expect(receiver.table.get(id(1, 's0:7'))).toMatchObject({ valueDropped: true });
    expect(receiver.table.get(id(1, 's1:7'))?.value).toEqual(value);
    receiver.recover();
    expect(receiver.table.get(id(1, 's1:7'))?.value).toEqual(value);
  });
});

test('all that is kept of tasks and letters at most goes into one message', () => {
  const receiver = new Receiver();
  const long = (i: number): string => `${'s'.repeat(200)}${i}`;
  const value = new Uint8Array(limits.resultBytesMax);
  for (let i = 0; i < limits.letterResultsMax; i++) receiver.do(id(1, `${long(i)}:1000000`), 0, { value });
  const payload = new Uint8Array(limits.asideBytesMax / limits.asideMax);
  const aside = { payload, key: 'k'.repeat(128), priority: 5, tries: 3, reason: 'r'.repeat(limits.reasonLengthMax) };
  for (let i = 0; i < limits.asideMax; i++) receiver.do(`t${i}`, undefined, { aside: { ...aside, retriedBy: 'w' } });
  for (let i = 0; i < limits.resultsMax; i++) receiver.do(id(1, `${long(i + 10_000)}:1000000`), undefined, { value });
  const results = receiver.table.all();
  expect(results).toHaveLength(limits.resultsMax + limits.asideMax + limits.letterResultsMax);
  const state = new Uint8Array(defaultSettings.stateChunkBytes);
  const step = { agent: 'a', epoch: 1, sequence: receiver.sequence, previousSequence: 0, previousEpoch: 0, full: true };
  const body = { ...step, state, results, changes: [], checksum: 1, resultsFrom: 0 };
  expect(encode('cluster', { type: 'replicate', body }).byteLength).toBeLessThan(frameBytesMax);
});

/** An agent that sends letters, and what its host knows of those under way. */
class Sender {
  readonly marks = new LetterMarks('a:7');
  letters: Letter[] = [];
  sequence = 0;

  step(sent: number, settled: readonly string[] = []): void {
    this.sequence += 1;
    this.letters = this.letters.filter((letter) => !settled.includes(letter.id));
    for (let i = 0; i < sent; i++) {
      const letter = { id: letterId('a:7', this.sequence, i, 0), sequence: this.sequence, to: 'b', task: 1 };
      this.letters.push({ ...letter, priority: 5, key: 'a' });
    }
  }
}

describe('what a sender tells of its letters', () => {
  test('is known once the step that settled them is durable', () => {
    const sender = new Sender();
    sender.step(1);
    sender.marks.look(sender.letters, 1, 1);
    sender.step(1, [id(1)]);
    const [second] = sender.letters as [Letter];
    sender.marks.look(sender.letters, 2, 1);
    expect(sender.marks.below(second)).toBe(1);
    sender.marks.look(sender.letters, 2, 2);
    expect(sender.marks.below(second)).toBe(2);
  });

  test('is forgotten with steps that are not durable', () => {
    const sender = new Sender();
    sender.step(1);
    const [first] = sender.letters as [Letter];
    sender.marks.look(sender.letters, 1, 1);
    sender.marks.look([], 2, 1);
    sender.marks.clear();
    sender.marks.look([first], 2, 2);
    expect(sender.marks.below({ ...first, id: id(5) })).toBe(1);
  });

  test('is nothing of the earlier letters of a branch, which it does not know', () => {
    const sender = new Sender();
    sender.step(1);
    sender.step(0, [id(1)]);
    sender.marks.look([], 2, 2);
    const letter = { id: id(9), sequence: 9, to: 'b', task: 1, priority: 5, key: 'a' };
    expect(sender.marks.below(letter)).toBe(3);
    expect(sender.marks.below({ ...letter, id: id(9, 'a:x:7.4096') })).toBe(0);
  });
});

test('letters are done once and none is lost, whoever dies, whatever is lost and comes late', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(`letters ${seed}`);
    const receiver = new Receiver();
    const sender = new Sender();
    const did = new Map<string, number>();
    const sent: { task: string; settledBelow: number }[] = [];
    const known = new Set<string>();
    let durable = 0;
    let kept: [number, Letter[]] = [0, []];
    for (let i = 0; i < 400; i++) {
      if (random.chance(0.3)) sender.step(random.chance(0.5) ? random.between(0, 3) : 0, [...known]);
      if (random.chance(0.3)) [durable, kept] = [sender.sequence, [sender.sequence, sender.letters]];
      sender.marks.look(sender.letters, sender.sequence, durable);
      for (const letter of sender.letters) {
        if (letter.sequence <= durable && random.chance(0.2))
          sent.push({ task: letter.id, settledBelow: sender.marks.below(letter) });
      }
      if (sent.length > 0 && random.chance(0.8)) {
        const { task, settledBelow } = random.pick(sent);
        const was = receiver.do(task, settledBelow);
        if (was === 'done') did.set(task, (did.get(task) ?? 0) + 1);
        if (was !== 'full' && random.chance(0.5)) known.add(task);
        if (was !== 'full') expect(did.get(task), `seed ${seed}, ${task}`).toBe(1);
      }
      if (random.chance(0.02)) receiver.recover();
      if (random.chance(0.02)) {
        // The sender's host dies with what was not durable: the steps are taken anew, by a host that knows no answers.
        [sender.sequence, sender.letters] = kept;
        sender.marks.clear();
        known.clear();
      }
    }
  }
});
