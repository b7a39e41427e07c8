import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { errors } from '../../node/core/errors.ts';
import { run, type Served, serve } from './run.ts';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.server.close());

const kv = (...argv: string[]) => run([served.url], 'kv', ...argv);
const valueOf = (at: number): string => {
  const asked = served.node.asked[at];
  return asked?.type === 'kvPut' ? Buffer.from(asked.value).toString() : '';
};

it('kv put sends the argument, or a file', async () => {
  const { code, out } = await kv('put', 'config/colour', 'blue');
  expect([code, out]).toEqual([0, 'config/colour is written at index 43.\n']);
  const directory = await mkdtemp(join(tmpdir(), 'conclave-kv-'));
  await writeFile(join(directory, 'value'), 'green');
  expect((await kv('put', 'a', '--file', join(directory, 'value'), '--if-index', '0', '--json')).json()).toEqual({
    ...{ key: 'a', index: 43 },
  });
  await rm(directory, { recursive: true });
  expect([valueOf(0), valueOf(1)]).toEqual(['blue', 'green']);
  expect(served.node.asked).toMatchObject([{ key: 'config/colour' }, { key: 'a', ifIndex: 0 }]);
});

it('kv get prints the bytes as they are, and with --json where they come from', async () => {
  expect((await kv('get', 'a')).out).toBe('blue');
  expect((await kv('get', 'a', '--consistency', 'stale', '--json')).json()).toEqual({
    ...{ key: 'a', index: 43, encoding: 'utf8', value: 'blue' },
  });
  served.node.answers.kvGet = ({ key }) => ({ key, value: Uint8Array.of(255, 0), index: 1 });
  expect((await kv('get', 'a', '--json')).json()).toMatchObject({ encoding: 'base64', value: '/wA=' });
  expect(served.node.asked).toMatchObject([
    { consistency: 'linearizable' },
    { consistency: 'stale' },
    { consistency: 'linearizable' },
  ]);
});

it('kv list goes through all pages', async () => {
  served.node.answers.kvList = ({ after }) =>
    after === undefined
      ? { keys: [{ key: 'p/1', index: 4, bytes: 10 }], next: 'p/1' }
      : { keys: [{ key: 'p/2', index: 9, bytes: 20 }] };
  expect((await kv('list', 'p/')).out).toMatch(/p\/1 .*4 .*10[^]*p\/2 .*9 .*20/);
  expect(served.node.asked).toMatchObject([{ prefix: 'p/' }, { prefix: 'p/', after: 'p/1' }]);
  served.node.answers.kvList = () => ({ keys: [] });
  expect((await kv('list')).out).toBe('No keys.\n');
});

it('kv delete says whether there was such a key', async () => {
  expect((await kv('delete', 'a', '--if-index', '3')).out).toBe('a is deleted.\n');
  served.node.answers.kvDelete = ({ key }) => ({ key, index: 0, deleted: false });
  expect(await kv('delete', 'a')).toMatchObject({ code: 0, out: 'There was no a.\n' });
});

it('what the cluster refuses ends with 1, wrong usage with 2', async () => {
  served.node.answers.kvPut = ({ key, ifIndex = 0 }) => errors.keyChanged({ key, ifIndex, index: 9 });
  const refused = await kv('put', 'a', 'x', '--if-index', '0');
  expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/^keyChanged: .*should not exist/)]);
  served.node.answers.kvGet = ({ key }) => errors.keyUnknown({ key });
  expect((await kv('get', 'a')).code).toBe(1);
  expect((await kv('put', 'a')).code).toBe(2);
  expect((await kv('put', 'a', 'b', '--file', 'c')).code).toBe(2);
  expect((await kv('put', 'a', '--file', '/nothing/there')).err).toMatch(/cannot be read/);
  expect((await kv('put', 'a', 'x', '--if-index', '-1')).code).toBe(2);
});
