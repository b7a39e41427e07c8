import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EarlierNames } from '../../node/runtime/earlier-names.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'names-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the ids that a data directory had', () => {
  test('are kept until there is nothing left of them', () => {
    expect(new EarlierNames(directory, 'one').all).toEqual(['one']);
    expect(new EarlierNames(directory, 'two').all).toEqual(['two', 'one']);
    const names = new EarlierNames(directory, 'three');
    expect(names.all).toEqual(['three', 'two', 'one']);
    names.forgetEarlier();
    expect(names.all).toEqual(['three']);
    expect(new EarlierNames(directory, 'one').all).toEqual(['one', 'three']);
  });

  test('are no more than 16, the latest', async () => {
    for (let at = 1; at <= 20; at++) new EarlierNames(directory, `n${at}`);
    expect(new EarlierNames(directory, 'n').all).toHaveLength(17);
    expect((await readFile(join(directory, 'nodes'), 'utf8')).split('\n').slice(0, 3)).toEqual(['n', 'n20', 'n19']);
  });

  test('are not taken from what is damaged', async () => {
    await writeFile(join(directory, 'nodes'), 'one\n../x\n\0\0\ntwo"}\nthree');
    expect(new EarlierNames(directory, 'own').all).toEqual(['own', 'one', 'three']);
  });
});
