import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kvRoutes } from '../../node/api/kv-routes.ts';
import { routes } from '../../node/api/routes.ts';
import { taskRoutes } from '../../node/api/task-routes.ts';
import { errors } from '../../node/core/errors.ts';
import { agentView, FakeNode, leader, makeToken, nodeView } from './fake-node.ts';

const base = '/api/v1/cluster';
let node: FakeNode;
let server: FastifyInstance;
let token: string;

beforeEach(async () => {
  node = new FakeNode();
  server = await node.serve();
  token = await makeToken();
});
afterEach(() => server.close());

type Method = 'GET' | 'POST' | 'DELETE';
const send = (method: Method, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  server.inject({
    method,
    url: path.startsWith('/health') ? path : base + path,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body === undefined ? {} : { payload: body as object }),
  });

describe('the routes', () => {
  it('are the ones that docs/api.md lists, no more and no fewer', async () => {
    const docs = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
    const listed = [...docs.matchAll(/^### `(GET|POST|PUT|DELETE) ([^` ]+)`$/gm)].map(
      ([, method, url]) => `${method} ${url}`,
    );
    const all = [...routes, ...taskRoutes, ...kvRoutes];
    expect(listed.toSorted()).toEqual(all.map(({ method, url }) => `${method} ${url}`).toSorted());
    for (const { method, url } of all) expect(server.hasRoute({ method, url })).toBe(true);
  });

  it('say that the process lives, and whether the node is ready, without a token', async () => {
    const live = await server.inject('/health/live');
    expect([live.statusCode, live.json()]).toEqual([200, { live: true }]);
    expect((await server.inject('/health/ready')).json()).toEqual({ ready: true, reason: '' });
    node.readiness = { ready: false, reason: 'it hears no leader with a majority' };
    const ready = await server.inject('/health/ready');
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toEqual({ ready: false, reason: 'it hears no leader with a majority' });
    expect(ready.headers['retry-after']).toBe('1');
  });

  it('answer the status in snake_case', async () => {
    const answer = await send('GET', '/status');
    expect(answer.statusCode).toBe(200);
    const body = answer.json();
    expect(body).toMatchObject({ cluster: 'c1', mode: 'quorum', self: nodeView(1).id, leader, index: 42 });
    expect(body.nodes[0]).toEqual({
      id: nodeView(1).id,
      name: 'node-1',
      admin: 'http://127.0.0.1:1',
      addresses: ['/ip4/127.0.0.1/tcp/7000'],
      site: 'default',
      capabilities: ['gpu'],
      membership: 'alive',
      reachable: true,
      status: 'active',
      voter: true,
      voter_reason: 'founder',
      leader: true,
      agents: 1,
      agents_max: 100,
      drain: null,
      load: { cpu: 0.25, memory_bytes: 100663296, loop_delay_ms: 1.5, tasks_per_s: 10, queue_depth: 0 },
    });
    expect(body.agents[0]).toEqual({
      id: 'counter',
      type: 'counter',
      strategy: 'least_loaded',
      status: 'active',
      host: nodeView(2).id,
      host_name: 'node-2',
      epoch: 12,
      holders: [nodeView(1).id, nodeView(2).id],
      holders_wanted: 3,
      topics: [],
      capabilities: [],
      decision: { ...agentView('counter').decision, omitted: { ranked: 0, rejected: 0 } },
      reason: 'deployed',
      migration: null,
      migration_end: null,
    });
  });

  it('say null for what is unknown', async () => {
    node.answers.status = () => ({
      ...{ cluster: 'c1', mode: 'autonomous', self: 'me', leader: undefined, index: 0 },
      nodes: [nodeView(1, { load: undefined })],
      agents: [agentView('a', { host: undefined, hostName: undefined, decision: undefined, status: 'pending' })],
    });
    const body = (await send('GET', '/status')).json();
    expect(body.leader).toBeNull();
    expect(body.nodes[0].load).toBeNull();
    expect(body.agents[0]).toMatchObject({ host: null, host_name: null, decision: null, status: 'pending' });
  });

  it('list nodes and find one by id, by name and by the end of its id', async () => {
    expect((await send('GET', '/nodes')).json().nodes).toHaveLength(3);
    for (const wanted of [nodeView(2).id, 'node-2', nodeView(2).id.slice(-8)]) {
      expect((await send('GET', `/nodes/${wanted}`)).json()).toMatchObject({ name: 'node-2', agents_max: 100 });
    }
    const unknown = await send('GET', '/nodes/node-9');
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json().error.code).toBe('nodeUnknown');
  });

  it('drain a node, say how far that has come, and take it back', async () => {
    const url = '/nodes/node-3/drain';
    const begun = await send('POST', url, { deadline_ms: 60_000 });
    expect([begun.statusCode, begun.json()]).toEqual([
      200,
      {
        ...{ id: nodeView(3).id, name: 'node-3', status: 'draining' },
        drain: {
          ...{ stopping: false, deadline_ms: 60_000, overdue: false, done: false, agents: 1, states: 2 },
          ...{ waits_for: ['agent counter: it is to be moved next'], kept: [] },
        },
      },
    ]);
    expect((await send('GET', url)).json()).toMatchObject({ name: 'node-3', drain: null });
    expect((await send('POST', url, {})).statusCode).toBe(200);
    expect((await send('DELETE', url)).json()).toMatchObject({ status: 'active', drain: null });
    const done = node.asked.filter(({ type }) => type !== 'nodes');
    const { id } = nodeView(3);
    expect(done).toEqual([
      { type: 'drain', node: id, deadlineMs: 60_000 },
      { type: 'drain', node: id },
      { type: 'undrain', node: id },
    ]);
    for (const wrong of [0, 1.5, 'soon', 1e12])
      expect((await send('POST', url, { deadline_ms: wrong })).statusCode).toBe(400);
    expect((await send('POST', '/nodes/node-9/drain', {})).json().error.code).toBe('nodeUnknown');
  });

  it('mean the live node when a dead one had the same name, and ask back when two live ones have it', async () => {
    node.answers.nodes = () => [nodeView(1, { name: 'same', membership: 'dead' }), nodeView(2, { name: 'same' })];
    expect((await send('GET', '/nodes/same')).json().id).toBe(nodeView(2).id);
    node.answers.nodes = () => [nodeView(1, { name: 'same' }), nodeView(2, { name: 'same' })];
    const answer = await send('GET', '/nodes/same');
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.message).toContain(nodeView(2).id);
  });

  it('list agents and answer one', async () => {
    expect((await send('GET', '/agents')).json().agents[0].id).toBe('counter');
    expect((await send('GET', '/agents/counter-7')).json()).toMatchObject({ id: 'counter-7', host_name: 'node-2' });
    expect(node.asked).toEqual([{ type: 'agents' }, { type: 'agent', agent: 'counter-7' }]);
  });

  it('delete an agent', async () => {
    const answer = await send('DELETE', '/agents/counter-7');
    expect([answer.statusCode, answer.json()]).toEqual([200, { agent: 'counter-7' }]);
    expect(node.asked).toEqual([{ type: 'delete', agent: 'counter-7' }]);
  });

  it('pass on what the node refused, with its code, status and details', async () => {
    node.answers.agent = ({ agent }) => errors.agentUnknown({ agent });
    const answer = await send('GET', '/agents/nobody');
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toEqual({
      error: {
        code: 'agentUnknown',
        message: errors.agentUnknown({ agent: 'nobody' }).message,
        details: { agent: 'nobody' },
      },
    });
  });

  it('name the leader and the node that answers, also in errors', async () => {
    for (const path of ['/status', '/nowhere']) {
      const { headers } = await send('GET', path);
      expect(headers['x-conclave-leader']).toBe(leader.id);
      expect(headers['x-conclave-node']).toBe(nodeView(1).id);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['cache-control']).toBe('no-store');
    }
    node.leader = undefined;
    expect((await send('GET', '/status')).headers).not.toHaveProperty('x-conclave-leader');
  });
});

describe('deploy', () => {
  it("takes the earlier system's body unchanged", async () => {
    const answer = await send('POST', '/agents/deploy', { agent_type: 'trading', deployment_strategy: 'least_loaded' });
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({ agent: { id: 'trading' }, agents: [{ id: 'trading' }] });
    expect(node.asked).toEqual([
      { type: 'deploy', agentType: 'trading', count: 1, strategy: 'least_loaded', capabilities: [], holders: 3 },
    ]);
  });

  it('takes all its fields, and ignores those that it does not know', async () => {
    const body = {
      ...{ agent_type: 'trading', deployment_strategy: 'round_robin', name: 'desk', count: 2, holders: 5 },
      ...{ capabilities: ['gpu'], required_capabilities: ['trading', 'gpu'], source: 'export default {}' },
      ...{ requirements: { cpu_cores: 1 }, config: {} },
    };
    const answer = await send('POST', '/agents/deploy', body, { 'idempotency-key': 'once-1' });
    expect(answer.json().agents.map(({ id }: { id: string }) => id)).toEqual(['desk-1', 'desk-2']);
    expect(node.asked).toEqual([
      {
        ...{ type: 'deploy', request: 'once-1', agentType: 'trading', source: 'export default {}', name: 'desk' },
        ...{ count: 2, strategy: 'round_robin', capabilities: ['gpu', 'trading'], holders: 5 },
      },
    ]);
  });

  it('brings the code of a built-in type along, unless the request has its own', async () => {
    await send('POST', '/agents/deploy', { agent_type: 'counter' });
    await send('POST', '/agents/deploy', { agent_type: 'counter', source: 'mine' });
    expect(node.asked).toMatchObject([{ source: 'export default { builtin: true };' }, { source: 'mine' }]);
  });

  it('takes the program that runs the code of a process, and refuses what cannot be run', async () => {
    const body = { agent_type: 'talk', runtime: 'process', interpreter: 'python3', source: 'run()' };
    expect((await send('POST', '/agents/deploy', body)).statusCode).toBe(201);
    expect(node.asked).toMatchObject([{ type: 'deploy', interpreter: 'python3', source: 'run()' }]);
    const wrong = [
      { ...body, runtime: 'worker' },
      { ...body, runtime: undefined },
      { ...body, interpreter: undefined },
      { ...body, source: undefined },
      { ...body, runtime: 'container' },
      { ...body, interpreter: '/bin/sh' },
      { ...body, interpreter: '../sh' },
    ];
    for (const one of wrong) {
      const answer = await send('POST', '/agents/deploy', one);
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    }
    expect(node.asked).toHaveLength(1);
  });

  it('takes a container in place of code, and names the field of a hostile one', async () => {
    const container = { image: 'talk:1', memory_mb: 64 };
    const body = { agent_type: 'counter', runtime: 'container', container };
    expect((await send('POST', '/agents/deploy', body)).statusCode).toBe(201);
    const { asked } = node;
    // The node has code for a type of that name, which is not meant.
    expect(asked).toMatchObject([{ type: 'deploy', container: { image: 'talk:1', memoryMb: 64, cpus: 1, pids: 64 } }]);
    expect(Object.keys(asked[0] ?? {})).not.toContain('source');
    for (const [field, value] of [
      ['privileged', true],
      ['mounts', ['/:/host']],
      ['network', 'host'],
      ['cap_add', ['ALL']],
      ['devices', []],
      ['memory_mb', 1e9],
      ['pids', -1],
      ['env', { LD_PRELOAD: '/x' }],
      ['image', '../x'],
    ] as const) {
      const answer = await send('POST', '/agents/deploy', { ...body, container: { ...container, [field]: value } });
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
      expect(answer.json().error.message).toMatch(new RegExp(`in "container": ${field}: `));
    }
    const unclear = [
      { ...body, runtime: undefined },
      { ...body, runtime: 'worker' },
      { ...body, runtime: 'process', interpreter: 'python3', source: 'x()' },
      { ...body, source: 'x()' },
      { ...body, interpreter: 'python3' },
      { ...body, container: undefined },
      { ...body, container: null },
    ];
    for (const one of unclear) {
      const answer = await send('POST', '/agents/deploy', one);
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    }
    expect(asked).toHaveLength(1);
  });

  it('takes whether the agents of a type share threads', async () => {
    await send('POST', '/agents/deploy', { agent_type: 'counter', isolation: 'type' });
    expect(node.asked).toMatchObject([{ type: 'deploy', isolation: 'type' }]);
    const wrong = await send('POST', '/agents/deploy', { agent_type: 'counter', isolation: 'none' });
    expect([wrong.statusCode, wrong.json().error.code]).toEqual([400, 'bodyMalformed']);
  });

  it('answers an unknown strategy with the known ones', async () => {
    node.answers.deploy = ({ strategy }) => errors.strategyUnknown({ strategy, known: ['round_robin'] });
    const answer = await send('POST', '/agents/deploy', { agent_type: 'x', deployment_strategy: 'best' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json().error).toMatchObject({
      code: 'strategyUnknown',
      details: { strategy: 'best', known: ['round_robin'] },
    });
  });

  it('says node by node why an agent cannot be placed', async () => {
    const refusals = [
      { node: 'a', name: 'node-1', reason: 'it lacks gpu' },
      { node: 'b', name: 'node-2', reason: 'it is full' },
    ];
    node.answers.deploy = () => errors.agentUnplaceable({ agent: 'x', refusals });
    const answer = await send('POST', '/agents/deploy', { agent_type: 'x' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json().error.details).toEqual({ agent: 'x', refusals });
    expect(answer.json().error.message).toContain('node-1: it lacks gpu; node-2: it is full');
  });
});

describe('tasks and state', () => {
  it('hand the payload on as JSON and answer the result with the keys that the agent gave it', async () => {
    const answer = await send('POST', '/agents/counter/tasks', { id: 't-1', payload: { addMany: [1] }, ttl_ms: 500 });
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { agent: 'counter', task: 't-1', result: { totalCount: 3 } },
    ]);
    const [asked] = node.asked;
    expect(asked).toMatchObject({ type: 'task', agent: 'counter', task: 't-1', ttlMs: 500 });
    expect(asked?.type === 'task' && new TextDecoder().decode(asked.payload)).toBe('{"addMany":[1]}');
  });

  it('make up an id and a deadline when none are given, and take the id from Idempotency-Key', async () => {
    await send('POST', '/agents/counter/tasks', { payload: null });
    await send('POST', '/agents/counter/tasks', { payload: 1 }, { 'idempotency-key': 'k-1' });
    expect(node.asked[0]).toMatchObject({ task: expect.stringMatching(/^[0-9a-f-]{36}$/), ttlMs: 30_000 });
    expect(node.asked[1]).toMatchObject({ task: 'k-1' });
  });

  it('answer numbers digit by digit as the agent wrote them', async () => {
    const value = new TextEncoder().encode('{"n":12345678901234567890.10}');
    node.answers.task = ({ agent, task }) => ({ agent, task, value });
    expect((await send('POST', '/agents/a/tasks', { payload: 1, id: 'x' })).payload).toBe(
      '{"agent":"a","task":"x","result":{"n":12345678901234567890.10}}',
    );
  });

  it('answer the state as JSON when it is JSON, else in base64', async () => {
    const json = await send('GET', '/agents/counter/state');
    expect(json.json()).toEqual({
      agent: 'counter',
      epoch: 12,
      sequence: 5,
      encoding: 'json',
      state: { totalCount: 3 },
    });
    expect(json.headers['content-type']).toContain('application/json');
    node.answers.state = ({ agent }) => ({ agent, epoch: 1, sequence: 0, state: Uint8Array.of(255, 0, 1) });
    expect((await send('GET', '/agents/counter/state')).json()).toMatchObject({ encoding: 'base64', state: '/wAB' });
  });

  it('answer what must be sent again with Retry-After', async () => {
    node.answers.task = ({ agent }) => errors.agentNotReady({ agent });
    const notReady = await send('POST', '/agents/a/tasks', { payload: 1 });
    expect([notReady.statusCode, notReady.headers['retry-after']]).toEqual([503, '1']);
    node.answers.task = () => errors.backlogFull({ what: 'tasks', max: 10 });
    const full = await send('POST', '/agents/a/tasks', { payload: 1 });
    expect([full.statusCode, full.headers['retry-after']]).toEqual([429, '1']);
    node.answers.task = () => errors.deadlineExceeded({ what: 'It', ttlMs: 5 });
    const late = await send('POST', '/agents/a/tasks', { payload: 1 });
    expect([late.statusCode, late.json().error.details]).toEqual([504, { what: 'It', ttl_ms: 5 }]);
  });
});

describe('migrate', () => {
  it('resolves the name of a node to its id', async () => {
    const answer = await send('POST', '/agents/counter/migrate', { target: 'node-3' });
    expect(answer.json().agent).toMatchObject({ id: 'counter', host: nodeView(3).id });
    expect(node.asked).toEqual([{ type: 'nodes' }, { type: 'migrate', agent: 'counter', target: nodeView(3).id }]);
  });

  it('does not wait when it is not to, and shows how far it has come', async () => {
    const migration = {
      phase: 'preparing' as const,
      target: nodeView(3).id,
      targetName: 'node-3',
      reason: 'asked for',
    };
    const more = { since: 12, sinceMs: 1_700, bytesCopied: 4, bytes: 9 };
    node.answers.migrate = ({ agent }) => ({ agent: agentView(agent, { migration: { ...migration, ...more } }) });
    const answer = await send('POST', '/agents/counter/migrate', { target: 'node-3', wait: false });
    expect(node.asked.at(-1)).toMatchObject({ type: 'migrate', wait: false });
    expect(answer.json().agent.migration).toEqual({
      ...{ phase: 'preparing', target: nodeView(3).id, target_name: 'node-3', reason: 'asked for' },
      ...{ since: 12, since_ms: 1_700, bytes_copied: 4, bytes: 9 },
    });
  });

  it('is cancelled', async () => {
    const migrationEnd = { since: 12, cancelled: true, reason: 'an operator cancelled it' };
    node.answers.cancelMigration = ({ agent }) => ({ agent: agentView(agent, { migrationEnd }) });
    const answer = await send('DELETE', '/agents/counter/migration');
    expect(answer.json().agent).toMatchObject({ migration: null, migration_end: migrationEnd });
    expect(node.asked).toEqual([{ type: 'cancelMigration', agent: 'counter' }]);
  });

  it('refuses a node that does not exist without asking for the move', async () => {
    const answer = await send('POST', '/agents/counter/migrate', { target: 'node-9' });
    expect([answer.statusCode, answer.json().error.code]).toEqual([404, 'nodeUnknown']);
    expect(node.asked).toEqual([{ type: 'nodes' }]);
  });
});

it('the server logs an error of its own, without the token, and says so to the caller', async () => {
  node.answers.agents = () => {
    throw new Error('broken');
  };
  const answer = await send('GET', '/agents?secret=1');
  expect([answer.statusCode, answer.json().error.code]).toEqual([500, 'internal']);
  expect(node.logged).toHaveLength(1);
  expect(node.logged[0]).toContain('broken');
  expect(node.logged[0]).not.toContain(token);
  expect(node.logged[0]).not.toContain('secret');
});

describe('what is read', () => {
  it.each(['/status', '/nodes', '/nodes/node-1', '/agents', '/agents/counter'])(
    '%s is read as it was asked for',
    async (path) => {
      for (const consistency of ['linearizable', 'leader', 'stale']) {
        const { statusCode, headers } = await send('GET', `${path}?consistency=${consistency}`);
        expect(statusCode).toBe(200);
        expect(node.asked.at(-1)).toMatchObject({ consistency });
        expect([headers['conclave-log-index'], headers['conclave-age-ms']]).toEqual(['42', '7']);
      }
      await send('GET', path);
      expect(node.asked.at(-1)).not.toHaveProperty('consistency');
    },
  );

  it('is refused with an unknown consistency, and nobody is asked', async () => {
    const answer = await send('GET', '/agents?consistency=maybe');
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    expect(node.asked).toEqual([]);
  });
});
