import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimDataDirectory, DataDirectoryDamaged, DataDirectoryError } from '../node/data-directory.ts';

const key = Buffer.from('one network');
let directory: string;
let file: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'conclave-data-')), 'data');
  file = join(directory, 'network');
});
afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }));

const claimed = () =>
  claimDataDirectory(directory, key).then(
    () => undefined,
    (error: Error) => error,
  );

describe('a data directory', () => {
  test('is claimed once and known again, with nothing left over', async () => {
    expect(await claimed()).toBeUndefined();
    const first = await readFile(file, 'utf8');
    expect(await claimed()).toBeUndefined();
    expect([await readdir(directory), await readFile(file, 'utf8')]).toEqual([['network'], first]);
  });

  test('of another network is refused as such', async () => {
    await claimed();
    for (const other of [Buffer.from('another network'), undefined]) {
      const error = await claimDataDirectory(directory, other).catch((thrown: Error) => thrown);
      expect(error).toBeInstanceOf(DataDirectoryError);
      expect((error as Error).message).toMatch(/another cluster.*Nothing was changed/);
    }
  });

  test('with any one bit of its network file flipped is damaged, and is not of another network', async () => {
    await claimed();
    const bytes = await readFile(file);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await writeFile(file, flipped);
      const error = await claimed();
      expect(error, `bit ${bit}`).toBeInstanceOf(DataDirectoryDamaged);
      expect(error?.message).toMatch(/is damaged. Nothing was changed. Restore it, or start with an empty/);
      expect(await readFile(file)).toEqual(flipped);
    }
  });

  test('with a network file that was cut short is damaged', async () => {
    await claimed();
    const bytes = await readFile(file);
    for (const length of [0, 1, bytes.length - 1]) {
      await writeFile(file, bytes.subarray(0, length));
      expect(await claimed(), `${length} bytes`).toBeInstanceOf(DataDirectoryDamaged);
    }
  });

  test('with a store and no network file has lost one', async () => {
    await mkdir(join(directory, 'store'), { recursive: true });
    expect((await claimed())?.message).toMatch(/a file was removed. Nothing was changed/);
  });

  test('with a network file that cannot be read is not claimed anew', async () => {
    await mkdir(file, { recursive: true });
    expect(await claimed()).toBeInstanceOf(DataDirectoryError);
    expect(await readdir(directory)).toEqual(['network']);
  });
});
