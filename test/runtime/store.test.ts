import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Write } from '../../node/core/effect.ts';
import { openStore } from '../../node/runtime/store.ts';
import {
  isCorruption,
  StoreBusy,
  StoreDamaged,
  StoreUnavailable,
  storeExitCode,
} from '../../node/runtime/store-errors.ts';
import { Random } from '../../sim/random.ts';

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-store-'));
  made.push(directory);
  return join(directory, 'store');
}

const put = (key: string, text: string): Write => ({ key, value: Buffer.from(text) });
const del = (key: string): Write => ({ key, value: undefined });

async function contents(directory: string): Promise<Record<string, string>> {
  const store = await openStore(directory);
  try {
    return Object.fromEntries([...(await store.load())].map(([key, value]) => [key, Buffer.from(value).toString()]));
  } finally {
    await store.close();
  }
}

/** A store with tables, a log and a manifest of several edits, and what is in it. */
async function populated(): Promise<{ directory: string; expected: Record<string, string> }> {
  const directory = await newDirectory();
  const expected: Record<string, string> = {};
  for (let opening = 0; opening < 3; opening++) {
    const store = await openStore(directory, { writeBufferBytes: 32 * 1024 });
    await store.load();
    for (let batch = 0; batch < 40; batch++) {
      const writes: Write[] = [];
      for (let record = 0; record < 8; record++) {
        const key = `entry/${String((opening * 40 + batch) * 8 + record).padStart(8, '0')}`;
        const text = `${key} `.repeat(8);
        writes.push(put(key, text));
        expected[key] = text;
      }
      writes.push(put('hard', `term ${opening}-${batch}`));
      expected['hard'] = `term ${opening}-${batch}`;
      await store.write(writes);
    }
    await store.close();
  }
  return { directory, expected };
}

/** Files without which, or with other contents, something is missing: not so the mark, which only knows of a loss. */
const isData = (file: string): boolean => !/^(LOCK|LOG|LOG\.old|mark)$/.test(file);

test('a lock that cannot be opened is no other node, and a path no damage', async () => {
  const directory = await newDirectory();
  await (await openStore(directory)).close();
  await rm(join(directory, 'LOCK'));
  await mkdir(join(directory, 'LOCK'));
  await expect(openStore(directory)).rejects.toThrow(StoreUnavailable);
  expect(isCorruption('Database failed to open: IO error: /data/Corruption/x: Permission denied')).toBe(false);
  expect(isCorruption('Database failed to open: Corruption: bad block')).toBe(true);
});

describe('the store', () => {
  test('keeps what was written across openings, and forgets what was deleted', async () => {
    const directory = await newDirectory();
    const store = await openStore(directory);
    await store.write([put('a', '1'), put('b', '2')]);
    await store.write([put('a', '3'), del('b'), put('c', '')]);
    await store.close();
    expect(await contents(directory)).toEqual({ a: '3', c: '' });
  });

  test('writes in the order in which it was asked, also when asked at once', async () => {
    const directory = await newDirectory();
    const store = await openStore(directory);
    await Promise.all(Array.from({ length: 200 }, (_, n) => store.write([put('n', String(n))])));
    await store.close();
    expect(await contents(directory)).toEqual({ n: '199' });
  });

  test('is refused to a second process while a first one has it', async () => {
    const directory = await newDirectory();
    const store = await openStore(directory);
    await expect(openStore(directory)).rejects.toThrow(StoreBusy);
    await store.close();
  });

  test('never opens with less or other than was written, whichever bit is flipped', { timeout: 120_000 }, async () => {
    const { directory, expected } = await populated();
    const files = (await readdir(directory)).filter(isData);
    expect(files.some((file) => file.endsWith('.ldb'))).toBe(true);
    expect(files.some((file) => file.endsWith('.log'))).toBe(true);
    const originals = new Map<string, Buffer>();
    for (const file of files) originals.set(file, await readFile(join(directory, file)));
    const random = new Random('flips');
    const sizes = [...originals].filter(([, bytes]) => bytes.length > 0);
    let found = 0;
    for (let flip = 0; flip < 300; flip++) {
      // A few bytes of every kind of file first, then anywhere.
      const [file, original] =
        flip < 60 ? random.pick(sizes) : random.pick(sizes.filter(([, { length }]) => length > 200));
      const damaged = Buffer.from(original);
      const at = random.below(damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
      await writeFile(join(directory, file), damaged);
      const outcome = await contents(directory).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome, `${file} at ${at}: ${outcome.message}`).toBeInstanceOf(StoreDamaged);
        found += 1;
      } else expect(outcome, `${file} at ${at}`).toEqual(expected);
      for (const left of (await readdir(directory)).filter(isData)) await rm(join(directory, left), { force: true });
      for (const [name, bytes] of originals) await writeFile(join(directory, name), bytes);
    }
    // Files that a compaction has just replaced may lie there still, and nothing is missing when they are damaged.
    expect(found).toBeGreaterThan(150);
  });

  test('says what to do when it is damaged', async () => {
    const { directory } = await populated();
    const log = (await readdir(directory)).find((file) => file.endsWith('.log')) ?? '';
    const bytes = await readFile(join(directory, log));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await writeFile(join(directory, log), bytes);
    const error: unknown = await openStore(directory).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/damaged.*Nothing was changed.*Remove this node's data directory/);
    expect(storeExitCode(error)).toBe(65);
  });

  test('misses a table or a log that is gone', async () => {
    for (const ending of ['.ldb', '.log']) {
      const { directory } = await populated();
      const file = (await readdir(directory)).find((name) => name.endsWith(ending)) ?? '';
      await rm(join(directory, file), { force: true });
      await expect(openStore(directory), file).rejects.toThrow(StoreDamaged);
    }
  });
});
