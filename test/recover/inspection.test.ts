import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { branchKey, closedNumber } from '../../node/core/branch.ts';
import { inspect } from '../../node/recover/inspection.ts';
import { highestEpoch } from '../../node/recover/survivor.ts';
import { commandFor, fill, recordsOf, remains, removeMachines } from './machines.ts';

afterEach(removeMachines);

describe('an inspection', () => {
  test('names the best survivor and the command', async () => {
    const { best, other } = await remains();
    const before = [await recordsOf(best.directory), await recordsOf(other.directory)];
    const { inspected, best: found, command, advice } = await inspect([other.directory, best.directory]);
    expect(
      inspected.map(({ survivor }) => [survivor?.name, survivor?.term, survivor?.lastTerm, survivor?.lastIndex]),
    ).toEqual([
      ['node-2', 4, 3, 9],
      ['node-1', 4, 3, 12],
    ]);
    expect(found?.node).toBe(best.node);
    expect(command).toEqual(commandFor(best, other));
    expect(advice).toMatch(/best survivor is node-1.*Go on only if node-3, node-4, node-5 will never come back/);
    expect([await recordsOf(best.directory), await recordsOf(other.directory)]).toEqual(before);
  });

  test('takes the number of a branch for no epoch: the log would have to grow beyond it', () => {
    const held = (sealedEpoch: number, epoch: number) => ({
      record: { sealedEpoch, epoch, sequence: 1, state: new Uint8Array(0), checksum: 0 },
      ...{ results: [], parts: undefined },
    });
    const holders = new Map([
      ['a', held(7, 5)],
      [branchKey('a', 'b1'), held(closedNumber, 2 ** 31)],
    ]);
    expect(highestEpoch(holders)).toBe(7);
  });

  test('tells to keep what is damaged: it may be all that is left', async () => {
    const { best } = await remains();
    const store = join(best.directory, 'store');
    const files = (await readdir(store)).filter((file) => /\.(log|ldb)$/.test(file));
    for (const file of files) {
      const bytes = await readFile(join(store, file));
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      await writeFile(join(store, file), bytes);
    }
    const { inspected, command } = await inspect([best.directory]);
    expect(inspected[0]?.problem).toMatch(/is damaged: .*Nothing was changed\. Keep this directory as it is/);
    expect(command).toBeUndefined();
  });

  test('advises against it while a majority is there, and across clusters', async () => {
    const { all, best, other } = await remains();
    await fill(all[2], all, { index: 7 });
    const whole = await inspect([best, other, all[2]].map(({ directory }) => directory));
    expect(whole).toMatchObject({ command: undefined, advice: expect.stringContaining('start them') });
    await fill(all[3], all, { index: 7, cluster: 'dddd4444.x' });
    const mixed = await inspect([best, all[3]].map(({ directory }) => directory));
    expect(mixed).toMatchObject({
      best: undefined,
      command: undefined,
      advice: expect.stringContaining('different clusters'),
    });
  });
});
