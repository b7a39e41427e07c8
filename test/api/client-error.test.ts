import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeNode } from './fake-node.ts';

let node: FakeNode;
let server: FastifyInstance;

beforeAll(async () => {
  node = new FakeNode();
  server = await node.serve();
  await server.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => server.close());

/** A connection to the server, and the server's end of it. */
async function open(): Promise<{ outside: Socket; inside: Socket }> {
  const accepted = once(server.server, 'connection');
  const outside = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  const [inside] = (await accepted) as [Socket];
  return { outside, inside };
}

/** All that the server says until it closes the connection. */
async function answerOn(outside: Socket): Promise<{ status: number; head: string; body: unknown }> {
  const parts: Buffer[] = [];
  outside.on('data', (part: Buffer) => parts.push(part));
  await once(outside, 'close');
  const [head = '', body = ''] = Buffer.concat(parts).toString('utf8').split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`\r\ncontent-length: ${Buffer.byteLength(body)}(\r\n|$)`));
  return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body) };
}

describe('what is no whole request', () => {
  it('is answered in the form of all errors when it is no HTTP', async () => {
    const { outside } = await open();
    outside.write('hello?\r\n\r\n');
    const { status, head, body } = await answerOn(outside);
    expect([status, body]).toMatchObject([
      400,
      { error: { code: 'bodyMalformed', message: expect.stringMatching(/no HTTP request/) } },
    ]);
    expect(head).toMatch(/\r\nx-conclave-node: /);
  });

  it('may be sent again when the connection was given up as it came', async () => {
    const { outside, inside } = await open();
    const answer = answerOn(outside);
    const late = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    server.server.emit('clientError', late, inside);
    const { status, head, body } = await answer;
    expect([status, body]).toMatchObject([
      408,
      { error: { code: 'requestIncomplete', details: { within_ms: 30_000 } } },
    ]);
    expect(head).toMatch(/\r\nconnection: close/);
    expect(node.asked).toEqual([]);
  });

  it('is answered with nothing when nobody is there any more', async () => {
    const { outside, inside } = await open();
    const gone = Object.assign(new Error('gone'), { code: 'ECONNRESET' });
    let said = 0;
    outside.on('data', () => {
      said += 1;
    });
    outside.on('error', () => {});
    server.server.emit('clientError', gone, inside);
    await once(outside, 'close');
    expect([said, inside.destroyed]).toEqual([0, true]);
    server.server.emit('clientError', gone, inside);
  });
});
