import { describe, expect, it } from 'vitest';
import { errors } from '../../node/core/errors.ts';
import { agentView } from './fake-node.ts';
import { Served } from './served.ts';

const served = new Served('/api/v1/cluster');

describe('a task', () => {
  it('is given with its priority and key, of which only the key may be missing from what the node is asked', async () => {
    await served.send('POST', '/agents/a/tasks', { payload: 1, priority: 9, key: 'customer-4' });
    await served.send('POST', '/agents/a/tasks', { payload: 1 });
    expect(served.node.asked[0]).toMatchObject({ priority: 9, key: 'customer-4' });
    expect(served.node.asked[1]).toMatchObject({ priority: 5 });
    expect(served.node.asked[1]).not.toHaveProperty('key');
  });

  it.each([
    ['a priority above 9', { priority: 10 }, /priority/],
    ['a priority that is no whole number', { priority: 1.5 }, /priority/],
    ['a priority as text', { priority: '5' }, /priority/],
    ['an empty key', { key: '' }, /key/],
    ['a key with a slash', { key: 'a/b' }, /key/],
  ])('with %s is refused', async (_what, more, reason) => {
    const answer = await served.send('POST', '/agents/a/tasks', { payload: 1, ...more });
    expect([answer.statusCode, answer.json().error.message]).toEqual([400, expect.stringMatching(reason)]);
    expect(served.node.asked).toEqual([]);
  });

  it('for which there is no room is told when there may be some, in whole seconds', async () => {
    served.node.answers.task = () => errors.backlogFull({ what: 'tasks', max: 10, retryAfterMs: 2_300 });
    const full = await served.send('POST', '/agents/a/tasks', { payload: 1 });
    expect([full.statusCode, full.headers['retry-after']]).toEqual([429, '3']);
    expect(full.json().error.details).toMatchObject({ retry_after_ms: 2_300 });
  });

  it('that is set aside, cancelled or over is told as such', async () => {
    const about = { agent: 'a', task: 't' };
    for (const [error, status] of [
      [errors.taskSetAside({ ...about, tries: 3, reason: 'it crashed' }), 422],
      [errors.taskCancelled(about), 409],
      [errors.taskUnknown(about), 404],
    ] as const) {
      served.node.answers.task = () => error;
      const answer = await served.send('POST', '/agents/a/tasks', { payload: 1, id: 't' });
      expect([answer.statusCode, answer.json().error.code]).toEqual([status, error.code]);
    }
  });
});

describe('a task that is followed', () => {
  const stream = { accept: 'text/event-stream' };

  it('tells what it says, numbered, then its result, line breaks and all', async () => {
    served.node.says = ['{"done":1}', '"half\\nway"'];
    served.node.answers.task = ({ agent, task }) => ({
      agent,
      task,
      value: new TextEncoder().encode('{\n"total": 3}'),
    });
    const answer = await served.send('POST', '/agents/a/tasks', { payload: 1, id: 't' }, stream);
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(answer.headers['x-conclave-node']).toBeDefined();
    expect(answer.payload).toBe(
      ': conclave\n\n' +
        'event: progress\nid: 1\ndata: {"done":1}\n\n' +
        'event: progress\nid: 2\ndata: "half\\nway"\n\n' +
        'event: result\ndata: {"agent":"a","task":"t","result":{\ndata: "total": 3}}\n\n',
    );
    expect(served.node.asked[0]).toMatchObject({ progress: true });
  });

  it('ends in an error with its status', async () => {
    served.node.answers.task = () => errors.taskFailed({ agent: 'a', task: 't', reason: 'no' });
    const { payload } = await served.send('POST', '/agents/a/tasks', { payload: 1 }, stream);
    const last = JSON.parse(payload.split('event: error\ndata: ')[1] ?? '') as object;
    expect(last).toMatchObject({ status: 422, error: { code: 'taskFailed' } });
  });

  it('is refused before the stream begins when it is malformed, or when too many are followed', async () => {
    const malformed = await served.send('POST', '/agents/a/tasks', { payload: 1, priority: -1 }, stream);
    expect(malformed.statusCode).toBe(400);
    const full = await served.node.serve({ taskStreams: { streamsMax: 0 } });
    const answer = await full.inject({
      method: 'POST',
      url: '/api/v1/cluster/agents/a/tasks',
      headers: { authorization: `Bearer ${served.token}`, ...stream },
      payload: { payload: 1 },
    });
    expect([answer.statusCode, answer.json().error.code]).toEqual([429, 'backlogFull']);
    await full.close();
  });
});

describe('the tasks of an agent', () => {
  it('are what runs, what waits and what is set aside', async () => {
    expect((await served.send('GET', '/agents/a/tasks')).json()).toEqual({
      agent: 'a',
      running: { task: 'now', for_ms: 12 },
      waiting: 2,
      first: [
        { task: 'later', priority: 5, key: '', door: null, door_name: null },
        { task: 'behind', priority: 5, key: 'k', door: 'n2', door_name: 'node-2' },
      ],
      silent_nodes: 0,
      set_aside: [{ task: 'poison', tries: 3, reason: 'its thread ended with code 1', bytes: 17 }],
      mean_task_ms: 1.5,
    });
  });

  it('that are set aside can be tried once more', async () => {
    const answer = await served.send('POST', '/agents/a/tasks/poison/retry', { ttl_ms: 700 });
    expect(answer.json()).toEqual({ agent: 'a', task: 'poison', result: { totalCount: 3 } });
    expect(served.node.asked[0]).toMatchObject({ type: 'task', task: 'poison', retry: expect.any(String), ttlMs: 700 });
  });

  it('can be cancelled', async () => {
    expect((await served.send('DELETE', '/agents/a/tasks/t')).json()).toEqual({
      agent: 'a',
      task: 't',
      was: 'waiting',
    });
    served.node.answers.taskCancel = (about) => errors.taskOver(about);
    expect((await served.send('DELETE', '/agents/a/tasks/t')).statusCode).toBe(409);
  });
});

describe('a topic', () => {
  it('gives a task to each agent that has it, and says of each what came of it', async () => {
    served.node.answers.agents = () => [
      agentView('a', { topics: ['prices'] }),
      agentView('b'),
      agentView('c', { topics: ['news', 'prices'] }),
    ];
    served.node.answers.task = ({ agent, task }) =>
      agent === 'a' ? { agent, task, value: new TextEncoder().encode('1.50') } : errors.agentNotReady({ agent });
    const answer = await served.send('POST', '/topics/prices', { payload: { MSFT: 1 }, id: 't' });
    expect(answer.payload).toContain('{"ok":true,"agent":"a","task":"t","result":1.50}');
    expect(answer.json()).toMatchObject({
      topic: 'prices',
      task: 't',
      agents: [{ agent: 'a' }, { agent: 'c', ok: false, error: { code: 'agentNotReady' } }],
    });
    expect((await served.send('POST', '/topics/weather', { payload: 1 })).json()).toMatchObject({
      agents: [],
      count: 0,
    });
    expect((await served.send('POST', '/topics/a%2Fb', { payload: 1 })).statusCode).toBe(400);
  });
});
