import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { forkRoutes } from '../../node/api/fork-routes.ts';
import { kvRoutes } from '../../node/api/kv-routes.ts';
import { routes } from '../../node/api/routes.ts';
import { taskRoutes } from '../../node/api/task-routes.ts';
import { typeRoutes } from '../../node/api/type-routes.ts';
import { errors } from '../../node/core/errors.ts';
import { agentView, leader, nodeView } from './fake-node.ts';
import { Served } from './served.ts';

const served = new Served('/api/v1/cluster');

describe('the routes', () => {
  it('are the ones that docs/api.md lists, no more and no fewer', async () => {
    const docs = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
    const listed = [...docs.matchAll(/^### `(GET|POST|PUT|DELETE) ([^` ]+)`$/gm)].map(
      ([, method, url]) => `${method} ${url}`,
    );
    const all = [...routes, ...taskRoutes, ...forkRoutes, ...typeRoutes, ...kvRoutes];
    expect(listed.toSorted()).toEqual(all.map(({ method, url }) => `${method} ${url}`).toSorted());
    for (const { method, url } of all) expect(served.server.hasRoute({ method, url })).toBe(true);
  });

  it('say that the process lives, and whether the node is ready, without a token', async () => {
    const live = await served.server.inject('/health/live');
    expect([live.statusCode, live.json()]).toEqual([200, { live: true }]);
    expect((await served.server.inject('/health/ready')).json()).toEqual({ ready: true, reason: '' });
    served.node.readiness = { ready: false, reason: 'it hears no leader with a majority' };
    const ready = await served.server.inject('/health/ready');
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toEqual({ ready: false, reason: 'it hears no leader with a majority' });
    expect(ready.headers['retry-after']).toBe('1');
  });

  it('answer the status in snake_case', async () => {
    const answer = await served.send('GET', '/status');
    expect(answer.statusCode).toBe(200);
    const body = answer.json();
    expect(body).toMatchObject({ cluster: 'c1', mode: 'quorum', self: nodeView(1).id, leader, index: 42 });
    expect(body.nodes[0]).toEqual({
      id: nodeView(1).id,
      name: 'node-1',
      admin: 'http://127.0.0.1:1',
      addresses: ['/ip4/127.0.0.1/tcp/7000'],
      site: 'default',
      machine: 'm1',
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
      decision: { ...agentView('counter').decision, omitted: { ranked: 0, rejected: 0 }, ordered: false },
      reason: 'deployed',
      migration: null,
      migration_end: null,
      partition: 'fenced',
      branches: [],
      crash_loop: null,
      version: 1,
      failures: null,
      stuck: null,
      waits: null,
      loss: null,
    });
  });

  it('say null for what is unknown', async () => {
    served.node.answers.status = () => ({
      ...{ cluster: 'c1', mode: 'autonomous', self: 'me', leader: undefined, index: 0 },
      nodes: [nodeView(1, { load: undefined })],
      agents: [agentView('a', { host: undefined, hostName: undefined, decision: undefined, status: 'pending' })],
    });
    const body = (await served.send('GET', '/status')).json();
    expect(body.leader).toBeNull();
    expect(body.nodes[0].load).toBeNull();
    expect(body.agents[0]).toMatchObject({ host: null, host_name: null, decision: null, status: 'pending' });
  });

  it('list nodes and find one by id, by name and by the end of its id', async () => {
    expect((await served.send('GET', '/nodes')).json().nodes).toHaveLength(3);
    for (const wanted of [nodeView(2).id, 'node-2', nodeView(2).id.slice(-8)]) {
      expect((await served.send('GET', `/nodes/${wanted}`)).json()).toMatchObject({ name: 'node-2', agents_max: 100 });
    }
    const unknown = await served.send('GET', '/nodes/node-9');
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json().error.code).toBe('nodeUnknown');
  });

  it('drain a node, say how far that has come, and take it back', async () => {
    const url = '/nodes/node-3/drain';
    const begun = await served.send('POST', url, { deadline_ms: 60_000 });
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
    expect((await served.send('GET', url)).json()).toMatchObject({ name: 'node-3', drain: null });
    expect((await served.send('POST', url, {})).statusCode).toBe(200);
    expect((await served.send('DELETE', url)).json()).toMatchObject({ status: 'active', drain: null });
    const done = served.node.asked.filter(({ type }) => type !== 'nodes');
    const { id } = nodeView(3);
    expect(done).toEqual([
      { type: 'drain', node: id, deadlineMs: 60_000 },
      { type: 'drain', node: id },
      { type: 'undrain', node: id },
    ]);
    for (const wrong of [0, 1.5, 'soon', 1e12])
      expect((await served.send('POST', url, { deadline_ms: wrong })).statusCode).toBe(400);
    expect((await served.send('POST', '/nodes/node-9/drain', {})).json().error.code).toBe('nodeUnknown');
  });

  it('mean the live node when a dead one had the same name, and ask back when two live ones have it', async () => {
    served.node.answers.nodes = () => [
      nodeView(1, { name: 'same', membership: 'dead' }),
      nodeView(2, { name: 'same' }),
    ];
    expect((await served.send('GET', '/nodes/same')).json().id).toBe(nodeView(2).id);
    served.node.answers.nodes = () => [nodeView(1, { name: 'same' }), nodeView(2, { name: 'same' })];
    const answer = await served.send('GET', '/nodes/same');
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.message).toContain(nodeView(2).id);
  });

  it('list agents and answer one', async () => {
    expect((await served.send('GET', '/agents')).json().agents[0].id).toBe('counter');
    expect((await served.send('GET', '/agents/counter-7')).json()).toMatchObject({
      id: 'counter-7',
      host_name: 'node-2',
    });
    expect(served.node.asked).toEqual([{ type: 'agents' }, { type: 'agent', agent: 'counter-7' }]);
  });

  it('delete an agent', async () => {
    const answer = await served.send('DELETE', '/agents/counter-7');
    expect([answer.statusCode, answer.json()]).toEqual([200, { agent: 'counter-7' }]);
    expect(served.node.asked).toEqual([{ type: 'delete', agent: 'counter-7' }]);
  });

  it('pass on what the node refused, with its code, status and details', async () => {
    served.node.answers.agent = ({ agent }) => errors.agentUnknown({ agent });
    const answer = await served.send('GET', '/agents/nobody');
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
      const { headers } = await served.send('GET', path);
      expect(headers['x-conclave-leader']).toBe(leader.id);
      expect(headers['x-conclave-node']).toBe(nodeView(1).id);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['cache-control']).toBe('no-store');
    }
    served.node.leader = undefined;
    expect((await served.send('GET', '/status')).headers).not.toHaveProperty('x-conclave-leader');
  });
});

describe('tasks and state', () => {
  it('hand the payload on as JSON and answer the result with the keys that the agent gave it', async () => {
    const answer = await served.send('POST', '/agents/counter/tasks', {
      id: 't-1',
      payload: { addMany: [1] },
      ttl_ms: 500,
    });
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { agent: 'counter', task: 't-1', result: { totalCount: 3 } },
    ]);
    const [asked] = served.node.asked;
    expect(asked).toMatchObject({ type: 'task', agent: 'counter', task: 't-1', ttlMs: 500 });
    expect(asked?.type === 'task' && new TextDecoder().decode(asked.payload)).toBe('{"addMany":[1]}');
  });

  it('make up an id and a deadline when none are given, and take the id from Idempotency-Key', async () => {
    await served.send('POST', '/agents/counter/tasks', { payload: null });
    await served.send('POST', '/agents/counter/tasks', { payload: 1 }, { 'idempotency-key': 'k-1' });
    expect(served.node.asked[0]).toMatchObject({ task: expect.stringMatching(/^[0-9a-f-]{36}$/), ttlMs: 30_000 });
    expect(served.node.asked[1]).toMatchObject({ task: 'k-1' });
  });

  it('answer numbers digit by digit as the agent wrote them', async () => {
    const value = new TextEncoder().encode('{"n":12345678901234567890.10}');
    served.node.answers.task = ({ agent, task }) => ({ agent, task, value });
    expect((await served.send('POST', '/agents/a/tasks', { payload: 1, id: 'x' })).payload).toBe(
      '{"agent":"a","task":"x","result":{"n":12345678901234567890.10}}',
    );
  });

  it('answer the state as JSON when it is JSON, else in base64', async () => {
    const json = await served.send('GET', '/agents/counter/state');
    expect(json.json()).toEqual({
      agent: 'counter',
      epoch: 12,
      sequence: 5,
      encoding: 'json',
      state: { totalCount: 3 },
    });
    expect(json.headers['content-type']).toContain('application/json');
    served.node.answers.state = ({ agent }) => ({ agent, epoch: 1, sequence: 0, state: Uint8Array.of(255, 0, 1) });
    expect((await served.send('GET', '/agents/counter/state')).json()).toMatchObject({
      encoding: 'base64',
      state: '/wAB',
    });
  });

  it('answer what must be sent again with Retry-After', async () => {
    served.node.answers.task = ({ agent }) => errors.agentNotReady({ agent });
    const notReady = await served.send('POST', '/agents/a/tasks', { payload: 1 });
    expect([notReady.statusCode, notReady.headers['retry-after']]).toEqual([503, '1']);
    served.node.answers.task = () => errors.backlogFull({ what: 'tasks', max: 10 });
    const full = await served.send('POST', '/agents/a/tasks', { payload: 1 });
    expect([full.statusCode, full.headers['retry-after']]).toEqual([429, '1']);
    served.node.answers.task = () => errors.deadlineExceeded({ what: 'It', ttlMs: 5 });
    const late = await served.send('POST', '/agents/a/tasks', { payload: 1 });
    expect([late.statusCode, late.json().error.details]).toEqual([504, { what: 'It', ttl_ms: 5 }]);
  });
});

describe('migrate', () => {
  it('resolves the name of a node to its id', async () => {
    const answer = await served.send('POST', '/agents/counter/migrate', { target: 'node-3' });
    expect(answer.json().agent).toMatchObject({ id: 'counter', host: nodeView(3).id });
    expect(served.node.asked).toEqual([
      { type: 'nodes' },
      { type: 'migrate', agent: 'counter', target: nodeView(3).id },
    ]);
  });

  it('does not wait when it is not to, and shows how far it has come', async () => {
    const migration = {
      phase: 'preparing' as const,
      target: nodeView(3).id,
      targetName: 'node-3',
      reason: 'asked for',
    };
    const more = { since: 12, sinceMs: 1_700, bytesCopied: 4, bytes: 9 };
    served.node.answers.migrate = ({ agent }) => ({
      agent: agentView(agent, { migration: { ...migration, ...more } }),
    });
    const answer = await served.send('POST', '/agents/counter/migrate', { target: 'node-3', wait: false });
    expect(served.node.asked.at(-1)).toMatchObject({ type: 'migrate', wait: false });
    expect(answer.json().agent.migration).toEqual({
      ...{ phase: 'preparing', target: nodeView(3).id, target_name: 'node-3', reason: 'asked for' },
      ...{ since: 12, since_ms: 1_700, bytes_copied: 4, bytes: 9, waits_for_task: null },
    });
  });

  it('is cancelled', async () => {
    const migrationEnd = { since: 12, cancelled: true, reason: 'an operator cancelled it' };
    served.node.answers.cancelMigration = ({ agent }) => ({ agent: agentView(agent, { migrationEnd }) });
    const answer = await served.send('DELETE', '/agents/counter/migration');
    expect(answer.json().agent).toMatchObject({ migration: null, migration_end: migrationEnd });
    expect(served.node.asked).toEqual([{ type: 'cancelMigration', agent: 'counter' }]);
  });

  it('refuses a node that does not exist without asking for the move', async () => {
    const answer = await served.send('POST', '/agents/counter/migrate', { target: 'node-9' });
    expect([answer.statusCode, answer.json().error.code]).toEqual([404, 'nodeUnknown']);
    expect(served.node.asked).toEqual([{ type: 'nodes' }]);
  });
});

it('the server logs an error of its own, without the token, and says so to the caller', async () => {
  served.node.answers.agents = () => {
    throw new Error('broken');
  };
  const answer = await served.send('GET', '/agents?secret=1');
  expect([answer.statusCode, answer.json().error.code]).toEqual([500, 'internal']);
  expect(served.node.logged).toHaveLength(1);
  expect(served.node.logged[0]).toContain('broken');
  expect(served.node.logged[0]).not.toContain(served.token);
  expect(served.node.logged[0]).not.toContain('secret');
});

describe('what is read', () => {
  it.each(['/status', '/nodes', '/nodes/node-1', '/agents', '/agents/counter'])(
    '%s is read as it was asked for',
    async (path) => {
      for (const consistency of ['linearizable', 'leader', 'stale']) {
        const { statusCode, headers } = await served.send('GET', `${path}?consistency=${consistency}`);
        expect(statusCode).toBe(200);
        expect(served.node.asked.at(-1)).toMatchObject({ consistency });
        expect([headers['conclave-log-index'], headers['conclave-age-ms']]).toEqual(['42', '7']);
      }
      await served.send('GET', path);
      expect(served.node.asked.at(-1)).not.toHaveProperty('consistency');
    },
  );

  it('is refused with an unknown consistency, and nobody is asked', async () => {
    const answer = await served.send('GET', '/agents?consistency=maybe');
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'bodyMalformed']);
    expect(served.node.asked).toEqual([]);
  });
});

describe('the topics of an agent', () => {
  it('are those that are named from here on', async () => {
    const answer = await served.send('PUT', '/agents/counter/topics', { topics: ['prices', 'trades'] });
    expect(answer.json().agent).toMatchObject({ id: 'counter', topics: ['prices', 'trades'] });
    expect(served.node.asked).toEqual([{ type: 'setTopics', agent: 'counter', topics: ['prices', 'trades'] }]);
    for (const topics of [undefined, 'prices', ['no name at all!'], Array(17).fill('a')]) {
      expect((await served.send('PUT', '/agents/counter/topics', { topics })).statusCode).toBe(400);
    }
  });
});
