import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readLogFrames } from '../../docker/container.ts';
import { inParallel } from '../../docker/parallel.ts';
import { readProgram } from '../../docker/program.ts';
import { makeStandIn, type StandIn } from './stand-in.ts';

let standIn: StandIn;
beforeEach(async () => {
  standIn = await makeStandIn();
});
afterEach(async () => standIn.remove());

it('a program without what only the command line needs keeps its hash', async () => {
  const before = await readProgram(standIn.distDirectory);
  await writeFile(join(standIn.distDirectory, 'cli.mjs'), 'x');
  await writeFile(join(standIn.distDirectory, 'node.mjs.map'), 'x');
  expect(await readProgram(standIn.distDirectory)).toEqual(before);
  expect(before.files).toEqual(['agents/counter.mjs', 'node.mjs']);
});

it('a changed agent changes the hash, unless the build noted one', async () => {
  const before = await readProgram(standIn.distDirectory);
  await writeFile(join(standIn.distDirectory, 'agents', 'counter.mjs'), 'export default { a: 1 };');
  expect((await readProgram(standIn.distDirectory)).hash).not.toBe(before.hash);
  const hash = 'ab'.repeat(32);
  await writeFile(join(standIn.distDirectory, 'build.json'), JSON.stringify({ version: '0.1.0', hash }));
  expect((await readProgram(standIn.distDirectory)).hash).toBe(hash);
});

it('a directory without a program says how to get one', async () => {
  const empty = join(standIn.directory, 'empty');
  await mkdir(empty);
  await expect(readProgram(empty)).rejects.toThrow(/no built program in .*Run "npm run build" first/);
  await expect(readProgram(join(empty, 'absent'))).rejects.toThrow(/no built program/);
});

it('log frames are joined in order, and a cut one at the end does no harm', () => {
  const frame = (text: string): Buffer => {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  expect(readLogFrames(Buffer.concat([frame('one\n'), frame('two\n')]))).toBe('one\ntwo\n');
  expect(readLogFrames(Buffer.concat([frame('one\n'), frame('two\n').subarray(0, 10)]))).toBe('one\ntw');
});

it('parallel work stops beginning after a failure and waits for what is begun', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    await Promise.resolve();
    if (item === 1) throw new Error('first');
    await new Promise((resolve) => setImmediate(resolve));
    ended.push(item);
  };
  await expect(inParallel([1, 2, 3, 4], 2, work)).rejects.toThrow('first');
  expect([begun, ended]).toEqual([[1, 2], [2]]);
});
