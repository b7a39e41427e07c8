import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, describe, expect, test } from 'vitest';
import { type DiskInit, openDisk } from '../../node/runtime/quarantine.ts';
import { StoreDamaged, StoreOutdated, StoreUnavailable } from '../../node/runtime/store-errors.ts';

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-disk-'));
  made.push(directory);
  return directory;
}

/** Opens and closes; what the node would have begun with. */
async function start(dataDirectory: string, init: Partial<DiskInit> = {}) {
  const { store, identity, rejoin } = await openDisk({ dataDirectory, rejoins: true, canJoin: true, ...init });
  const records = await store.load();
  await store.write([{ key: 'meta/boot', value: Buffer.from(String(records.size)) }]);
  await store.close();
  return { id: identity.publicKey.toString(), keys: [...records.keys()], rejoin };
}

async function damage(dataDirectory: string): Promise<void> {
  const store = join(dataDirectory, 'store');
  const log = join(store, (await readdir(store)).find((file) => file.endsWith('.log')) ?? '');
  const bytes = await readFile(log);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
  await writeFile(log, bytes);
}

const asideIn = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name.startsWith('store.damaged-')).sort();

describe('a node whose store is whole', () => {
  test('keeps its identity', async () => {
    const directory = await newDirectory();
    const first = await start(directory);
    expect(first.rejoin).toBeUndefined();
    expect(await start(directory)).toEqual({ id: first.id, keys: ['meta/boot'], rejoin: undefined });
    expect((await readdir(directory)).sort()).toEqual(['identity.key', 'store']);
  });
});

describe('a node whose store is damaged', () => {
  test('begins anew under another id, with what it had set aside', async () => {
    const directory = await newDirectory();
    const { id } = await start(directory);
    await damage(directory);
    const after = await start(directory);
    expect(after.id).not.toBe(id);
    expect(after.keys).toEqual([]);
    expect(after.rejoin?.reason).toMatch(/\.log: the checksum at byte \d+ is wrong/);
    expect(after.rejoin?.text).toMatch(/was damaged.*set aside as.*joins as a new member.*neither votes nor leads/);
    const [aside = ''] = await asideIn(directory);
    expect(after.rejoin?.aside).toBe(join(directory, aside));
    expect(await readdir(join(directory, aside))).toEqual(expect.arrayContaining(['CURRENT', 'identity.key']));
    expect((await readdir(directory)).sort()).toEqual(['identity.key', 'rejoining', 'store', aside].sort());
  });

  test('remembers that across starts, until it is a member again', async () => {
    const directory = await newDirectory();
    await start(directory);
    await damage(directory);
    const { id } = await start(directory);
    const again = await start(directory);
    expect(again).toMatchObject({ id, rejoin: { reason: expect.stringMatching(/checksum/) } });
    await writeFile(join(directory, 'rejoining'), 'garbage');
    expect((await start(directory)).rejoin).toBeDefined();
    await again.rejoin?.done();
    expect(await start(directory)).toMatchObject({ id, rejoin: undefined });
  });

  test('keeps the three that it set aside last', async () => {
    const directory = await newDirectory();
    const seen: string[] = [];
    for (let time = 0; time < 5; time++) {
      await start(directory);
      await damage(directory);
      await start(directory);
      seen.push(...(await asideIn(directory)).filter((name) => !seen.includes(name)));
    }
    expect(seen).toHaveLength(5);
    expect(await asideIn(directory)).toEqual(seen.slice(-3));
  });

  test('goes on with setting it aside where it was broken off', async () => {
    const directory = await newDirectory();
    const { id } = await start(directory);
    await damage(directory);
    await writeFile(join(directory, 'rejoining'), '{"reason":"before"}\n');
    await rename(join(directory, 'identity.key'), join(directory, 'store', 'identity.key'));
    const after = await start(directory);
    expect(after.id).not.toBe(id);
    expect(after.rejoin?.reason).toMatch(/checksum/);
    const [aside = ''] = await asideIn(directory);
    expect(await readdir(join(directory, aside))).toContain('identity.key');
  });

  test.each([
    ['that is not wanted', { rejoins: false }, /damaged.*Nothing was changed\. Remove this node's data directory/],
    [
      'there is nobody to join',
      { canJoin: false },
      /damaged.*Nothing was changed\. CONCLAVE_JOIN names no node.*Set it/,
    ],
  ])('stops where %s, and changes nothing', async (_, init, message) => {
    const directory = await newDirectory();
    await start(directory);
    await damage(directory);
    const before = await readdir(directory);
    const error: unknown = await start(directory, init).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreDamaged);
    expect(String(error)).toMatch(message);
    expect(await readdir(directory)).toEqual(before);
  });
});

describe('a node whose store is gone', () => {
  test('is not the one that it was', async () => {
    const directory = await newDirectory();
    const { id } = await start(directory);
    await rm(join(directory, 'store'), { recursive: true });
    await expect(start(directory, { rejoins: false })).rejects.toThrow(/it is gone, but this node had one/);
    const after = await start(directory);
    expect(after.id).not.toBe(id);
    expect(after.rejoin?.reason).toMatch(/it is gone/);
  });
});

describe('a store that cannot be read', () => {
  test('is no damage: it stays, and so does the identity', async () => {
    const directory = await newDirectory();
    await start(directory);
    const current = join(directory, 'store', 'CURRENT');
    await rename(current, `${current}.kept`);
    await mkdir(current);
    await expect(start(directory)).rejects.toThrow(StoreUnavailable);
    await rm(current, { recursive: true });
    await rename(`${current}.kept`, current);
    expect((await start(directory)).rejoin).toBeUndefined();
  });
});

describe('a store of another version', () => {
  test('is no damage: it stays, and so does the identity', async () => {
    const directory = await newDirectory();
    const old = new Level<string, Buffer>(join(directory, 'store'), {
      valueEncoding: 'buffer',
      compression: false,
    } as object);
    await old.put('meta/boot', Buffer.from([1, 0, 0, 0, 0, 49]));
    await old.close();
    await expect(start(directory)).rejects.toThrow(StoreOutdated);
    expect(await readdir(directory)).toEqual(['store']);
  });
});
