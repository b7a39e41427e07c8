import { generateKeyPairSync } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { forkRoutes } from '../../node/api/fork-routes.ts';
import { routes } from '../../node/api/routes.ts';
import { taskRoutes } from '../../node/api/task-routes.ts';
import { typeRoutes } from '../../node/api/type-routes.ts';
import { FakeNode, makeToken, publicKeyPem } from './fake-node.ts';

const base = '/api/v1/cluster';
let node: FakeNode;
let server: FastifyInstance;
let token: string;

beforeAll(async () => {
  node = new FakeNode();
  server = await node.serve();
  token = await makeToken();
});
beforeEach(() => void node.asked.splice(0));
afterAll(() => server.close());

const unsigned = (): string => {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: 'conclave', aud: 'conclave-admin', exp: Math.floor(Date.now() / 1_000) + 3_600 };
  return `${part({ alg: 'none', typ: 'at+jwt' })}.${part(claims)}.`;
};

const badTokens: [string, () => Promise<string> | string, RegExp][] = [
  ['that another key signed', () => makeToken({ key: generateKeyPairSync('ed25519').privateKey }), /not signed with/],
  ['that nobody signed', unsigned, /algorithm is not EdDSA/],
  ['that is keyed with the public key', () => makeToken({ alg: 'HS256', key: Buffer.from(publicKeyPem) }), /algorithm/],
  ['for somebody else', () => makeToken({ audience: 'conclave-node' }), /"aud"/],
  ['from somebody else', () => makeToken({ issuer: 'stranger' }), /"iss"/],
  ['of another type', () => makeToken({ typ: 'JWT' }), /"typ"/],
  ['without a type', () => makeToken({ typ: undefined }), /"typ"/],
  ['that has expired', () => makeToken({ expires: '-1m' }), /expired/],
  ['that never expires', () => makeToken({ expires: undefined }), /"exp"/],
  ['that is none', () => 'not-a-token', /not a signed token/],
];

describe('a request', () => {
  it.each(badTokens)('with a token %s is refused', async (_name, make, reason) => {
    const bad = await make();
    const answer = await server.inject({ url: `${base}/status`, headers: { authorization: `Bearer ${bad}` } });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="conclave", error="invalid_token"');
    expect(answer.json().error.code).toBe('tokenInvalid');
    expect(answer.json().error.message).toMatch(reason);
    expect(answer.payload).not.toContain(bad);
    expect(node.asked).toEqual([]);
  });

  it('without a token is refused at every route but the health checks', async () => {
    for (const { method, url, open } of [...routes, ...taskRoutes, ...forkRoutes, ...typeRoutes]) {
      if (open) continue;
      const answer = await server.inject({ method: method as 'GET', url: url.replaceAll(/:\w+/g, 'x') });
      expect([method, url, answer.statusCode]).toEqual([method, url, 401]);
      expect(answer.json().error.code).toBe('tokenMissing');
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="conclave"');
    }
    expect(node.asked).toEqual([]);
  });

  it('with a good token is taken again and again, until the token expires', async () => {
    const short = await makeToken({ expires: '1s' });
    const ask = () => server.inject({ url: `${base}/status`, headers: { authorization: `Bearer ${short}` } });
    expect((await ask()).statusCode).toBe(200);
    await expect.poll(async () => (await ask()).statusCode, { timeout: 5_000, interval: 100 }).toBe(401);
  });

  it('to a route that does not exist is answered as such', async () => {
    for (const [method, url] of [
      ['GET', '/api/v1/cluster/agent'],
      ['PUT', '/api/v1/cluster/agents/a'],
      ['POST', '/'],
    ] as const) {
      const answer = await server.inject({
        method,
        url: `${url}?token=secret`,
        headers: { authorization: `Bearer ${token}` },
      });
      expect(answer.statusCode).toBe(404);
      expect(answer.json().error).toMatchObject({ code: 'routeUnknown', details: { method, path: url } });
    }
  });

  it('to a path that cannot be decoded is refused', async () => {
    const answer = await server.inject({ url: '/%E0%A4%A', headers: { authorization: `Bearer ${token}` } });
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    expect(answer.headers['x-conclave-node']).toBeDefined();
  });
});

const badBodies: [string, string, unknown, RegExp][] = [
  ['deploy without a type', '/agents/deploy', {}, /"agent_type" is missing/],
  ['deploy of a type with a slash', '/agents/deploy', { agent_type: '../x' }, /"agent_type" must match/],
  ['deploy of none', '/agents/deploy', { agent_type: 'x', count: 0 }, /"count" must be >= 1/],
  ['deploy of too many', '/agents/deploy', { agent_type: 'x', count: 1001 }, /"count" must be <= 1000/],
  ['deploy of one and a half', '/agents/deploy', { agent_type: 'x', count: 1.5 }, /"count" must be integer/],
  ['deploy of a number in text', '/agents/deploy', { agent_type: 'x', count: '2' }, /"count" must be integer/],
  ['deploy with six holders', '/agents/deploy', { agent_type: 'x', holders: 6 }, /"holders" must be <= 5/],
  [
    'deploy with text for a list',
    '/agents/deploy',
    { agent_type: 'x', capabilities: 'gpu' },
    /"capabilities" must be array/,
  ],
  [
    'deploy with too many needs',
    '/agents/deploy',
    { agent_type: 'x', capabilities: Array(65).fill('a') },
    /"capabilities"/,
  ],
  ['deploy with a number as need', '/agents/deploy', { agent_type: 'x', capabilities: ['a', 1] }, /"capabilities.1"/],
  ['deploy under a name with a space', '/agents/deploy', { agent_type: 'x', name: 'a b' }, /"name"/],
  ['a list for a body', '/agents/deploy', [], /the body must be object/],
  ['a task without payload', '/agents/a/tasks', {}, /"payload" is missing/],
  ['a task with a bad id', '/agents/a/tasks', { payload: 1, id: '' }, /"id"/],
  ['a task with no time', '/agents/a/tasks', { payload: 1, ttl_ms: 0 }, /"ttl_ms" must be >= 1/],
  ['a task with too much time', '/agents/a/tasks', { payload: 1, ttl_ms: 600_001 }, /"ttl_ms" must be <= 600000/],
  ['a move to nowhere', '/agents/a/migrate', {}, /"target" is missing/],
  ['a move of a bad name', '/agents/-a/migrate', { target: 'node-1' }, /"agent" must match/],
];

describe('a body', () => {
  const post = (url: string, payload: unknown, headers: Record<string, string> = {}) =>
    server.inject({
      method: 'POST',
      url: base + url,
      headers: { authorization: `Bearer ${token}`, ...headers },
      payload: payload as object,
    });

  it.each(badBodies)('is refused with the field named: %s', async (_name, url, payload, reason) => {
    const answer = await post(url, payload);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.code).toBe('bodyMalformed');
    expect(answer.json().error.message).toMatch(reason);
    expect(node.asked).toEqual([]);
  });

  it('that is not JSON is refused', async () => {
    for (const text of ['{"agent_type":', '', '{"agent_type":"x","__proto__":{"count":2}}']) {
      const answer = await post('/agents/deploy', text, { 'content-type': 'application/json' });
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    }
    expect(node.asked).toEqual([]);
  });

  it('of another media type is refused with the one that is wanted', async () => {
    for (const type of ['application/x-www-form-urlencoded', 'text/plain']) {
      const answer = await post('/agents/deploy', 'agent_type=x', { 'content-type': type });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.message).toContain('application/json');
    }
  });

  it('of more than 1 MiB is refused', async () => {
    const answer = await post('/agents/a/tasks', { payload: 'x'.repeat(1024 * 1024) });
    expect(answer.statusCode).toBe(413);
    expect(answer.json().error).toMatchObject({ code: 'bodyTooLarge', details: { bytes_max: 1024 * 1024 } });
  });

  it('with more code or payload than 256 KiB is refused as too large, with the field named', async () => {
    const large = [
      ['/agents/deploy', { agent_type: 'x', source: 'ä'.repeat(131_073) }, 'source'],
      ['/agents/a/tasks', { payload: 'x'.repeat(262_144) }, 'payload'],
    ] as const;
    for (const [url, body, field] of large) {
      const answer = await post(url, body);
      expect(answer.statusCode).toBe(413);
      expect(answer.json().error).toMatchObject({ code: 'bodyTooLarge', details: { bytes_max: 256 * 1024 } });
      expect(answer.json().error.message).toMatch(
        new RegExp(`^The "${field}" is larger than 262144 bytes. Nothing was`),
      );
    }
    expect(node.asked).toEqual([]);
    expect((await post('/agents/a/tasks', { payload: 'x'.repeat(262_142) })).statusCode).not.toBe(413);
    expect((await post('/agents/deploy', { agent_type: 'x', source: 'x'.repeat(262_144) })).statusCode).not.toBe(413);
  });

  it('with a bad Idempotency-Key is refused', async () => {
    for (const path of ['/agents/deploy', '/agents/a/tasks']) {
      const answer = await post(path, { agent_type: 'x', payload: 1 }, { 'idempotency-key': 'a b' });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.message).toContain('idempotency-key');
    }
  });
});
