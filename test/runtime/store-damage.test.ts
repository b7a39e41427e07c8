import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, describe, expect, test } from 'vitest';
import type { Write } from '../../node/core/effect.ts';
import { type Database, openStore } from '../../node/runtime/store.ts';
import { StoreDamaged, StoreFull, StoreOutdated, StoreUnavailable } from '../../node/runtime/store-errors.ts';
import { headKey } from '../../node/runtime/store-ledger.ts';

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-store-'));
  made.push(directory);
  return directory;
}

type Contents = Record<string, string>;

const put = (key: string, text: string): Write => ({ key, value: Buffer.from(text) });
const del = (key: string): Write => ({ key, value: undefined });
const isData = (file: string): boolean => !/^(LOCK|LOG|LOG\.old)$/.test(file);

async function contents(directory: string): Promise<Contents> {
  const store = await openStore(directory);
  try {
    return Object.fromEntries([...(await store.load())].map(([key, value]) => [key, Buffer.from(value).toString()]));
  } finally {
    await store.close();
  }
}

/** The files of a store as they are at this moment, and a way to put them back. */
async function copyOf(directory: string) {
  const files = new Map<string, Buffer>();
  for (const name of (await readdir(directory)).filter(isData)) files.set(name, await readFile(join(directory, name)));
  return {
    files,
    /** Makes a directory hold these files, those in `changed` in place of theirs, and no others. */
    async restoreTo(target: string, changed: Record<string, Buffer> = {}): Promise<void> {
      await rm(target, { recursive: true, force: true });
      await cp(directory, target, { recursive: true, filter: (path) => path === directory });
      for (const [name, bytes] of files) await writeFile(join(target, name), changed[name] ?? bytes);
    },
  };
}

/** Opening a store is mostly waiting for the disk: several at once, each in a directory of its own. */
async function forEachBeside<T>(root: string, items: readonly T[], use: (item: T, target: string) => Promise<void>) {
  const left = [...items];
  const worker = async (target: string): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await use(item, target);
  };
  await Promise.all(Array.from({ length: 6 }, (_, n) => worker(join(root, `beside-${n}`))));
}

const logOf = (files: ReadonlyMap<string, Buffer>): string =>
  [...files.keys()]
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1) ?? '';

const batches: Write[][] = [
  [put('meta/boot', '1'), put('raft/hard', 'term 1')],
  [put('raft/entry/1', 'first'.repeat(9)), put('raft/hard', 'term 2')],
  [put('raft/entry/2', 'second'.repeat(9)), put('raft/hard', 'term 3'), del('raft/entry/1')],
  [put('raft/hard', 'term 4')],
  [
    put('raft/hard', 'term 4 voted'),
    put('raft/entry/3', 'third'.repeat(9)),
    put('holder/a', '\0\0\0\0'),
    del('meta/boot'),
  ],
];

/** What is stored after each number of batches. */
const states: Contents[] = [{}];
for (const batch of batches) {
  const state = { ...states.at(-1) };
  for (const { key, value } of batch) {
    if (value === undefined) delete state[key];
    else state[key] = Buffer.from(value).toString();
  }
  states.push(state);
}
const before = states.at(-2);
const after = states.at(-1);

/** A store that was killed after its last batch: its log as long as it was after each batch, and no mark but the first. */
async function killed() {
  const root = await newDirectory();
  const directory = join(root, 'store');
  const store = await openStore(directory);
  const lengths = [0];
  for (const batch of batches) {
    await store.write(batch);
    const { files } = await copyOf(directory);
    lengths.push(files.get(logOf(files))?.length ?? 0);
  }
  const copy = await copyOf(directory);
  await store.close();
  const log = logOf(copy.files);
  return {
    copy,
    log,
    bytes: copy.files.get(log) as Buffer,
    lengths,
    mark: await readFile(join(directory, 'mark')),
    root,
  };
}

describe('a torn tail', () => {
  test('at every byte of the last batches gives the state after a whole batch', { timeout: 120_000 }, async () => {
    const { copy, log, bytes, lengths, root } = await killed();
    const cuts = Array.from({ length: bytes.length - (lengths.at(-4) ?? 0) + 1 }, (_, n) => bytes.length - n);
    await forEachBeside(root, cuts, async (cut, target) => {
      const whole = lengths.findLastIndex((length) => length <= cut);
      await copy.restoreTo(target, { [log]: bytes.subarray(0, cut) });
      expect(await contents(target), `cut at ${cut}`).toEqual(states[whole]);
      if (whole < batches.length - 1 && cut % 4 !== 0) return;
      // The file had grown, but what belongs there had not come to the disk.
      const unwritten = Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(bytes.length - cut)]);
      await copy.restoreTo(target, { [log]: unwritten });
      expect(await contents(target), `zeros from ${cut}`).toEqual(states[whole]);
    });
  });

  test('of a batch of many blocks gives the state before it, wherever it is cut', { timeout: 120_000 }, async () => {
    const root = await newDirectory();
    const directory = join(root, 'store');
    const store = await openStore(directory);
    await store.write([put('a', '1')]);
    await store.write(Array.from({ length: 90 }, (_, n) => put(`big/${n}`, `${n}`.repeat(600))));
    const copy = await copyOf(directory);
    await store.close();
    const log = logOf(copy.files);
    const bytes = copy.files.get(log) as Buffer;
    expect(bytes.length).toBeGreaterThan(80_000);
    const target = join(root, 'cut');
    const nearBlocks = [32_768, 65_536].flatMap((end) => Array.from({ length: 24 }, (_, n) => end - 12 + n));
    for (const cut of [...nearBlocks, 5_000, 40_000, bytes.length - 1]) {
      await copy.restoreTo(target, { [log]: bytes.subarray(0, cut) });
      expect(await contents(target), `cut at ${cut}`).toEqual({ a: '1' });
      await copy.restoreTo(target, { [log]: Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(9_000)]) });
      expect(await contents(target), `zeros from ${cut}`).toEqual({ a: '1' });
    }
  });

  test('can be written on', async () => {
    const { copy, log, bytes, root } = await killed();
    const target = join(root, 'cut');
    await copy.restoreTo(target, { [log]: bytes.subarray(0, bytes.length - 20) });
    const store = await openStore(target);
    await store.write([put('raft/hard', 'term 5')]);
    await store.close();
    expect(await contents(target)).toEqual({ ...before, 'raft/hard': 'term 5' });
  });

  test('is damage when what is cut off has its mark', async () => {
    const { copy, log, bytes, mark, root } = await killed();
    const target = join(root, 'cut');
    await copy.restoreTo(target, { [log]: bytes.subarray(0, bytes.length - 20), mark });
    await expect(contents(target)).rejects.toThrow(/it ends with batch 4, but batch 5 was acknowledged/);
    await copy.restoreTo(target, { mark });
    expect(await contents(target)).toEqual(after);
  });

  test('has a mark within a second or so of each batch', async () => {
    const directory = join(await newDirectory(), 'store');
    const store = await openStore(directory);
    await store.write([put('a', '1')]);
    await store.write([put('a', '2')]);
    await expect
      .poll(() => readFile(join(directory, 'mark'), 'latin1'), { timeout: 5_000 })
      .toMatch(/conclave store 2 /);
    await store.close();
  });
});

describe('damage', () => {
  test('of any byte of any file gives the last state or StoreDamaged', { timeout: 240_000 }, async () => {
    const root = await newDirectory();
    const directory = join(root, 'store');
    // A table, a log and a manifest.
    for (const part of [batches.slice(0, 3), batches.slice(3)]) {
      const store = await openStore(directory);
      for (const batch of part) await store.write(batch);
      await store.close();
    }
    const copy = await copyOf(directory);
    const places = [...copy.files].flatMap(([name, original]) =>
      Array.from(original, (byte, at) => ({ name, original, at, byte })),
    );
    // Between the two lines of the mark nothing is read.
    const read = places.filter(({ name, byte, at }) => name !== 'mark' || byte !== 0 || at % 64 === 0);
    let found = 0;
    await forEachBeside(root, read, async ({ name, original, at, byte }, target) => {
      const flipped = Buffer.from(original);
      flipped[at] = byte ^ (1 << (at % 8));
      await copy.restoreTo(target, { [name]: flipped });
      const outcome = await contents(target).catch((error: unknown) => error);
      if (outcome instanceof StoreDamaged) found += 1;
      else expect(outcome, `${name} at ${at}`).toEqual(after);
    });
    const bytes = [...copy.files].reduce((sum, [name, { length }]) => sum + (name === 'mark' ? 0 : length), 0);
    expect(found).toBeGreaterThan(bytes * 0.9);
  });

  test('is a hole in the log, also where every checksum is right', async () => {
    const { copy, log, bytes, lengths, root } = await killed();
    for (const [at, length] of lengths.slice(1, -1).entries()) {
      const holed = Buffer.concat([bytes.subarray(0, lengths[at]), bytes.subarray(length)]);
      await copy.restoreTo(join(root, 'holed'), { [log]: holed });
      const outcome = await contents(join(root, 'holed')).catch((error: unknown) => error);
      // Only of the third batch something is left; what the others wrote was overwritten, and is not missed.
      if (at === 2) expect(outcome).toBeInstanceOf(StoreDamaged);
      else expect(outcome, `without batch ${at + 1}`).toEqual(after);
    }
  });

  const key = 'raft/entry/2';
  const changes: [string, RegExp, (database: Level<string, Buffer>, old: Buffer) => Promise<void>][] = [
    ['a record that is missing', /there are 3 records where batch 5 left 4/, (database) => database.del(key)],
    ['one that has come back', /there are 5 records/, (database, old) => database.put('raft/entry/1', old)],
    ['one under another key', /"holder\/b" is not what was written/, (database, old) => database.put('holder/b', old)],
    ['an older version of one', /not the one that was there after batch 5/, (database, old) => database.put(key, old)],
    ['a head that is missing', /no head/, (database) => database.del(headKey)],
    ['all that is missing', /batch 0, but batch 5 was acknowledged/, (database) => database.clear()],
  ];

  test.each(changes)('is %s, also where every checksum is right', async (_, message, change) => {
    const directory = join(await newDirectory(), 'store');
    let old = Buffer.alloc(0);
    for (const batch of [[put('raft/entry/1', 'x'), put(key, 'x')], ...batches.slice(1)]) {
      const store = await openStore(directory);
      await store.write(batch);
      await store.close();
      if (old.length > 0) continue;
      const database = new Level<string, Buffer>(directory, { valueEncoding: 'buffer' });
      old = Buffer.from((await database.get(change.toString().includes('entry/1') ? 'raft/entry/1' : key)) as Buffer);
      await database.close();
    }
    const database = new Level<string, Buffer>(directory, { valueEncoding: 'buffer' });
    await change(database, old);
    await database.close();
    await expect(contents(directory)).rejects.toThrow(message);
    await expect(contents(directory)).rejects.toThrow(StoreDamaged);
  });

  test('is a whole older copy of the files beside a newer mark', async () => {
    const { copy, mark, root } = await killed();
    const directory = join(root, 'store');
    const store = await openStore(directory);
    await store.write([put('raft/hard', 'term 9')]);
    await store.close();
    await copy.restoreTo(join(root, 'old'), { mark: await readFile(join(directory, 'mark')) });
    await expect(contents(join(root, 'old'))).rejects.toThrow(/batch 5, but batch 6 was acknowledged/);
    await copy.restoreTo(join(root, 'old'), { mark });
    expect(await contents(join(root, 'old'))).toEqual(after);
  });

  test('of the mark alone changes nothing', async () => {
    const { copy, root } = await killed();
    const target = join(root, 'unmarked');
    for (const mark of [Buffer.alloc(0), Buffer.alloc(1_024), Buffer.from('garbage')]) {
      await copy.restoreTo(target, { mark });
      expect(await contents(target)).toEqual(after);
    }
    await truncate(join(target, 'mark'), 300);
    expect(await contents(target)).toEqual(after);
  });
});

describe('a store of another version', () => {
  test('is refused, says so, and is left as it is', async () => {
    const directory = join(await newDirectory(), 'store');
    const old = new Level<string, Buffer>(directory, { valueEncoding: 'buffer', compression: false } as object);
    await old.put('meta/boot', Buffer.from([1, 0, 0, 0, 0, 49]));
    await old.close();
    const refused = await openStore(directory).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StoreOutdated);
    expect(String(refused)).toMatch(/records are of version 1, this one reads version 2.*Nothing was changed.*Start/);
  });
});

/** LevelDB with something done before and after each batch. */
function faulty(directory: string, around: (batch: () => Promise<void>) => Promise<void>): Database {
  const level = new Level<string, Buffer>(directory, { valueEncoding: 'buffer' });
  const write = (...[operations, options]: Parameters<typeof level.batch<string, Buffer>>) =>
    around(() => level.batch(operations, options));
  const batch = write as unknown as Database['batch'];
  return { open: () => level.open(), close: () => level.close(), iterator: level.iterator.bind(level), batch };
}

describe('a failed sync', () => {
  test.each([
    ['Input/output error', StoreUnavailable],
    ['No space left on device', StoreFull],
  ])('(%s) is final: nothing is written after it, and what came before is there', async (message, kind) => {
    const directory = join(await newDirectory(), 'store');
    let calls = 0;
    const failSecond = async (batch: () => Promise<void>) => {
      calls += 1;
      if (calls === 2) throw new Error(message);
      await batch();
    };
    const store = await openStore(directory, { createDatabase: (at) => faulty(at, failSecond) });
    await store.write([put('a', '1')]);
    const failed = store.write([put('a', '2')]);
    const behind = store.write([put('b', '3')]);
    await expect(failed).rejects.toThrow(kind);
    await expect(behind).rejects.toThrow(kind);
    await expect(store.write([put('c', '4')])).rejects.toThrow(kind);
    expect(calls).toBe(2);
    await store.close();
    expect(await contents(directory)).toEqual({ a: '1' });
  });

  test('can be that of a batch which is on the disk all the same', async () => {
    const directory = join(await newDirectory(), 'store');
    const failAfter = async (batch: () => Promise<void>) => {
      await batch();
      throw new Error('Input/output error');
    };
    const store = await openStore(directory, { createDatabase: (at) => faulty(at, failAfter) });
    await expect(store.write([put('a', '1')])).rejects.toThrow(StoreUnavailable);
    await store.close();
    expect(await contents(directory)).toEqual({ a: '1' });
  });
});

describe("the store's own keys", () => {
  test('cannot be written, and the attempt changes nothing', async () => {
    const directory = join(await newDirectory(), 'store');
    const store = await openStore(directory);
    await store.write([put('a', '1')]);
    await expect(store.write([put('b', '2'), put(headKey, 'x')])).rejects.toThrow(/belongs to the store itself/);
    await store.write([put('c', '3')]);
    await store.close();
    expect(await contents(directory)).toEqual({ a: '1', c: '3' });
  });
});
