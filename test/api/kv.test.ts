import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { kvRoutes } from '../../node/api/kv-routes.ts';
import { errors } from '../../node/core/errors.ts';
import { limits } from '../../node/core/settings.ts';
import { Served } from './served.ts';

const served = new Served('/api/v1/kv');

describe('keys and values', () => {
  it('are written as the bytes of the body, whatever their type', async () => {
    const answer = await served.send('PUT', '/config/colour', Buffer.of(0, 255, 123));
    expect([answer.statusCode, answer.json()]).toEqual([200, { key: 'config/colour', index: 43 }]);
    expect(answer.headers['conclave-index']).toBe('43');
    for (const type of ['application/json', 'text/plain', 'image/png']) {
      expect((await served.send('PUT', '/a', '{broken', { 'content-type': type })).statusCode).toBe(200);
    }
    expect((await served.send('PUT', '/empty')).statusCode).toBe(200);
    const values = served.node.asked.map((asked) => asked.type === 'kvPut' && [asked.key, ...asked.value].join(' '));
    expect(values[0]).toBe('config/colour 0 255 123');
    expect(values.slice(1, 4)).toEqual(Array(3).fill(`a ${[...Buffer.from('{broken')].join(' ')}`));
    expect(values[4]).toBe('empty');
  });

  it('are read as they were written, with the index of the last change', async () => {
    served.node.answers.kvGet = ({ key }) => ({ key, value: Uint8Array.of(0, 1, 255).subarray(1), index: 7 });
    const answer = await served.send('GET', '/config/colour');
    expect([answer.statusCode, [...answer.rawPayload]]).toEqual([200, [1, 255]]);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/octet-stream', 'conclave-index': '7' });
    await served.send('GET', '/a?consistency=stale');
    expect(served.node.asked).toEqual([
      { type: 'kvGet', key: 'config/colour', consistency: 'linearizable' },
      { type: 'kvGet', key: 'a', consistency: 'stale' },
    ]);
  });

  it('are deleted, and it is said whether there was one', async () => {
    expect((await served.send('DELETE', '/a')).json()).toEqual({ key: 'a', index: 44, deleted: true });
    served.node.answers.kvDelete = ({ key }) => ({ key, index: 0, deleted: false });
    const answer = await served.send('DELETE', '/a');
    expect([answer.statusCode, answer.json()]).toEqual([200, { key: 'a', index: 0, deleted: false }]);
  });

  it('are written and deleted under a condition', async () => {
    await served.send('PUT', '/a?if-index=0', 'x');
    await served.send('DELETE', '/a?if-index=12');
    expect(served.node.asked).toMatchObject([
      { type: 'kvPut', ifIndex: 0 },
      { type: 'kvDelete', ifIndex: 12 },
    ]);
    served.node.answers.kvPut = ({ key, ifIndex = 0 }) => errors.keyChanged({ key, ifIndex, index: 9 });
    const answer = await served.send('PUT', '/a?if-index=8', 'x');
    expect([answer.statusCode, answer.json().error.code]).toEqual([412, 'keyChanged']);
    expect(answer.json().error.details).toEqual({ key: 'a', if_index: 8, index: 9 });
    expect(answer.json().error.message).toContain('was last changed at index 9, not at 8');
  });

  it('are listed by prefix', async () => {
    expect((await served.send('GET', '')).json()).toEqual({ keys: [{ key: 'a', index: 43, bytes: 4 }], next: null });
    served.node.answers.kvList = () => ({ keys: [], next: 'p/9' });
    expect((await served.send('GET', '?prefix=p/&after=p/1')).json()).toEqual({ keys: [], next: 'p/9' });
    expect(served.node.asked).toEqual([
      { type: 'kvList', prefix: '', consistency: 'linearizable' },
      { type: 'kvList', prefix: 'p/', after: 'p/1', consistency: 'linearizable' },
    ]);
  });
});

describe('what is refused', () => {
  it('is a value that is too large, a bad key and a bad query, without asking the node', async () => {
    const large = await served.send('PUT', '/a', Buffer.alloc(limits.kvValueBytesMax + 1));
    expect([large.statusCode, large.json().error.code]).toEqual([413, 'bodyTooLarge']);
    for (const path of ['/.hidden', '/a%20b', '/', `/${'x'.repeat(257)}`, '/a?if-index=-1', '/a?if-index=x']) {
      const answer = await served.send('PUT', path, 'x');
      expect([path, answer.statusCode, answer.json().error.code]).toEqual([path, 400, 'bodyMalformed']);
    }
    expect((await served.send('GET', '/a?consistency=maybe')).statusCode).toBe(400);
    expect(served.node.asked).toEqual([]);
    expect((await served.send('PUT', '/a', Buffer.alloc(limits.kvValueBytesMax))).statusCode).toBe(200);
  });

  it('is everything without a token', async () => {
    for (const { method, url } of kvRoutes) {
      const answer = await served.server.inject({ method: method as 'GET', url: url.replace('*', 'a') });
      expect([method, answer.statusCode]).toEqual([method, 401]);
    }
  });

  it('is answered with the code that the node gave', async () => {
    served.node.answers.kvGet = ({ key }) => errors.keyUnknown({ key });
    const answer = await served.send('GET', '/nothing');
    expect([answer.statusCode, answer.json().error.code]).toEqual([404, 'keyUnknown']);
    expect(answer.headers['content-type']).toContain('application/json');
    served.node.answers.kvPut = () => errors.kvFull({ what: 'keys', max: 10_000 });
    expect((await served.send('PUT', '/a', 'x')).statusCode).toBe(409);
  });
});

it('the routes of keys and values are the ones that docs/api.md lists', async () => {
  const docs = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
  for (const { method, url } of kvRoutes) expect(docs).toContain(`\n### \`${method} ${url}\`\n`);
});
