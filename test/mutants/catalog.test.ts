import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { escapees, mutants, unchanged } from './catalog.ts';
import type { Catch } from './hunt.ts';
import { applyMutant, type Mutant } from './mutant.ts';
import { readOrder, UsageError } from './order.ts';
import { isAsItShouldBe, jsonOf, tableOf } from './results.ts';

const root = join(import.meta.dirname, '..', '..');
const all = [...mutants, ...escapees];
const defects = mutants.filter(({ harmless }) => !harmless);
const defect = defects[0] as Mutant;
const harmless = mutants.find((mutant) => mutant.harmless) as Mutant;

describe('the catalogue', () => {
  test('has enough defects, in every room, and enough harmless changes', () => {
    expect(defects.length).toBeGreaterThanOrEqual(25);
    expect(mutants.length - defects.length).toBeGreaterThanOrEqual(4);
    const rooms = ['consensus', 'membership', 'placement', 'replication', 'messaging', 'reconciliation'];
    for (const room of rooms) expect(defects.filter((mutant) => mutant.room === room).length, room).toBeGreaterThan(1);
  });

  test('gives every mutant a name of its own', () => {
    const names = [unchanged, ...all].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  test('changes production code only', () => {
    for (const { name, file } of all) expect(file, name).toMatch(/^(consensus|strategies|node\/core)\/[a-z-]+\.ts$/);
  });

  test.each(all.map((mutant) => [mutant.name, mutant] as const))('%s fits the code and compiles', (_name, mutant) => {
    const text = readFileSync(join(root, mutant.file), 'utf8');
    const changed = applyMutant(text, mutant.edits);
    expect(changed).not.toBe(text);
    expect(() => transformSync(changed, { loader: 'ts' })).not.toThrow();
  });
});

describe('a mutant', () => {
  test('is the text with all its edits, as they are written', () => {
    const edits = [
      { from: 'b', to: '$&' },
      { from: 'a', to: 'b' },
    ];
    expect(applyMutant('a-b', edits)).toBe('b-$&');
  });

  test('says so when its place is gone, or is no longer the only one', () => {
    expect(() => applyMutant('a', [{ from: 'b', to: '' }])).toThrow('"b" occurs 0 times, it must occur once');
    expect(() => applyMutant('a a', [{ from: 'a', to: '' }])).toThrow('"a" occurs 2 times, it must occur once');
    expect(() => applyMutant('a', [{ from: '', to: 'b' }])).toThrow('"" occurs 0 times');
  });

  test('says so when one edit takes the place of another', () => {
    const edits = [
      { from: 'ab', to: '' },
      { from: 'bc', to: '' },
    ];
    expect(() => applyMutant('abc', edits)).toThrow('"bc" overlaps an edit before it');
  });
});

describe('the command line', () => {
  test('without arguments asks for the program as it is and all mutants', () => {
    const order = readOrder([]);
    expect(order).toEqual({ mutants: [unchanged, ...mutants], jobs: 2, seedsMax: undefined, json: false });
  });

  test('names mutants, in the order of the catalogue', () => {
    const order = readOrder([harmless.name, defect.name, '--jobs', '1', '--seeds=7', '--json']);
    expect(order).toEqual({ mutants: [defect, harmless], jobs: 1, seedsMax: 7, json: true });
    expect(readOrder(escapees.map(({ name }) => name))).toMatchObject({ mutants: escapees });
    expect(readOrder(['--list'])).toBe('list');
    expect(readOrder(['--help', 'nobody'])).toBe('help');
  });

  test.each([
    [['nobody'], 'There is no mutant nobody. Nothing was run. Choose from: unchanged, '],
    [['--seeds', '0'], '--seeds is "0". Nothing was run. Give a whole number from 1 to'],
    [['--seeds', '1e3'], '--seeds is "1e3". Nothing was run.'],
    [['--seeds', ''], '--seeds is "". Nothing was run.'],
    [['--jobs', 'two'], '--jobs is "two". Nothing was run. Give a whole number from 1 to 64.'],
    [['--jobs'], 'Nothing was run. "npm run sim:mutants -- --help" shows what it takes.'],
    [['--seed', '1'], "Unknown option '--seed'. Nothing was run."],
  ])('%j is refused before anything is done', (args, message) => {
    expect(() => readOrder(args)).toThrow(UsageError);
    expect(() => readOrder(args)).toThrow(message);
  });
});

describe('the results', () => {
  const violation: Catch = {
    how: 'violation',
    seeds: 3,
    checker: 'same-log',
    what: 'same-log: n1 differs\nmore',
    atMs: 5,
  };
  const crash: Catch = { how: 'crash', seeds: 2, what: 'TypeError' };
  const nothing: Catch = { how: 'nothing', seeds: 9 };
  const of = (mutant: Mutant, caught: Catch) => ({ mutant, caught, seedsMax: 9 });

  test('are right when a defect breaks a promise and a harmless change does nothing', () => {
    const right = [violation, crash, nothing].map((caught) => isAsItShouldBe(of(defect, caught)));
    expect(right).toEqual([true, false, false]);
    expect([violation, crash, nothing].map((caught) => isAsItShouldBe(of(harmless, caught)))).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('are a table that marks what is wrong', () => {
    const lines = tableOf([of(defect, violation), of(harmless, nothing), of(defect, crash)]).split('\n');
    expect(lines.find((line) => line.includes('same-log'))).toMatch(/│ \S+ +│ \S+ +│ same-log +│ 3 +│ n1 differs +│/);
    expect(lines.find((line) => line.includes('none of 9'))).toContain('harmless');
    expect(lines.filter((line) => line.includes('│ ! '))).toHaveLength(1);
    expect(lines.at(-1)).toBe('1 of 2 defects found by a broken promise, 1 of 1 harmless programs not flagged');
  });

  test('are one object for programs', () => {
    const json = JSON.parse(jsonOf([of(defect, violation)], true));
    expect(json).toMatchObject({ ok: true, complete: true });
    expect(json.mutants[0]).toMatchObject({
      name: defect.name,
      harmless: false,
      ok: true,
      checker: 'same-log',
      seeds: 3,
    });
    expect(JSON.parse(jsonOf([of(defect, violation)], false)).ok).toBe(false);
  });
});
