import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client } from '../../node/cli/client.ts';
import { CallRefused, ClusterUnreachable } from '../../node/cli/command-error.ts';
import { eventLine, followEvents } from '../../node/cli/events.ts';
import { errors } from '../../node/core/errors.ts';
import type { Operation } from '../../node/core/operation.ts';
import { makeToken } from '../api/fake-node.ts';
import { Printed, run, type Served, serve } from './run.ts';

/** Nothing listens there. */
const nowhere = 'http://127.0.0.1:9';
let first: Served;
let second: Served;
const strange: Server[] = [];

beforeEach(async () => {
  [first, second] = await Promise.all([serve(), serve()]);
});
afterEach(async () => {
  await Promise.all([first.server.close(), second.server.close()]);
  for (const server of strange.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A node that says that it is ready and then stands still with its connections open. */
async function paused(): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === '/health/ready') response.end('{}');
  });
  strange.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const client = async (urls: readonly string[], giveUpAfterMs = 5_000) =>
  new Client(urls, await makeToken(), { giveUpAfterMs, watchIntervalMs: 30, probeTimeoutMs: 200, pauseMs: 10 });

const taskIds = (asked: readonly Operation[]): string[] => asked.flatMap((o) => (o.type === 'task' ? [o.task] : []));

describe('a command', () => {
  it('passes over a node that is down', async () => {
    const { code } = await run([nowhere, second.url], 'task', 'counter', '1');
    expect(code).toBe(0);
    expect(second.node.asked).toHaveLength(1);
  });

  it('asks a node that is ready before one that is not', async () => {
    first.node.readiness = { ready: false, reason: 'it hears no leader' };
    expect((await run([first.url, second.url], 'status')).code).toBe(0);
    expect([first.node.asked.length, second.node.asked.length]).toEqual([0, 1]);
  });

  it('asks one that is not ready when there is no other', async () => {
    first.node.readiness = { ready: false, reason: 'it hears no leader' };
    expect((await run([nowhere, first.url], 'status')).code).toBe(0);
  });

  it('sends a task to the next node under the same id when the first cannot now', async () => {
    for (const { node } of [first, second]) {
      node.answers.task = ({ agent, task }) =>
        first.node.asked.length + second.node.asked.length < 4
          ? errors.agentNotReady({ agent })
          : { agent, task, value: new TextEncoder().encode('"done"') };
    }
    const made = await client([first.url, second.url]);
    expect(await made.post('/agents/a/tasks', { payload: 1 })).toMatchObject({ result: 'done' });
    const ids = [...taskIds(first.node.asked), ...taskIds(second.node.asked)];
    expect(ids).toHaveLength(4);
    expect(new Set(ids).size).toBe(1);
    expect(taskIds(first.node.asked)).toHaveLength(2);
  });

  it('sends a task again under the same id when the node dies while it works on it', async () => {
    let dying: Promise<unknown> | undefined;
    first.node.answers.task = () => {
      dying = first.server.close();
      return new Promise(() => {});
    };
    second.node.readiness = { ready: false, reason: 'not yet' };
    const made = await client([first.url, second.url]);
    expect(await made.post('/agents/a/tasks', { payload: 1 })).toMatchObject({ agent: 'a' });
    await dying;
    expect(taskIds(second.node.asked)).toEqual(taskIds(first.node.asked));
  });

  it('leaves a node that stands still with its connections open', async () => {
    const still = await paused();
    second.node.readiness = { ready: false, reason: 'not yet' };
    const made = await client([still.url, second.url]);
    expect(await made.get('/agents/a')).toMatchObject({ id: 'a' });
    expect(still.asked).toContain('GET /api/v1/cluster/agents/a');
  });

  it('counts a deletion as done when the try whose answer was lost has done it', async () => {
    first.node.answers.delete = () => {
      void first.server.close();
      return new Promise(() => {});
    };
    second.node.answers.delete = ({ agent }) => errors.agentUnknown({ agent });
    second.node.readiness = { ready: false, reason: 'not yet' };
    expect(await (await client([first.url, second.url])).delete('/agents/a')).toEqual({ agent: 'a' });
    await expect((await client([second.url])).delete('/agents/a')).rejects.toBeInstanceOf(CallRefused);
  });

  it('sends a task again under the same id when the node gave the connection up as it came', async () => {
    first.node.answers.task = () => errors.requestIncomplete({ withinMs: 30_000 });
    const made = await client([first.url, second.url]);
    expect(await made.post('/agents/a/tasks', { payload: 1 })).toMatchObject({ agent: 'a' });
    expect(taskIds(second.node.asked)).toEqual(taskIds(first.node.asked));
  });

  it('does not send again what was refused for good', async () => {
    first.node.answers.task = ({ agent, task }) => errors.taskFailed({ agent, task, reason: 'no' });
    const { code, err } = await run([first.url, first.url], 'task', 'a', '1');
    expect([code, err]).toEqual([1, expect.stringContaining('taskFailed: ')]);
    expect(first.node.asked).toHaveLength(1);
  });

  it('ends with 3 when no node answers in time, and says which were asked', async () => {
    const { code, err } = await run([nowhere, `${nowhere}0`], 'status', '--timeout', '1');
    expect([code, err]).toEqual([3, expect.stringContaining(`No node answers at ${nowhere}, ${nowhere}0`)]);
  });

  it('ends with 3 when no node knows a leader, and with 1 when it is only the agent that is not ready', async () => {
    first.node.answers.deploy = () => errors.leaderUnknown({});
    const leaderless = await run([first.url], 'deploy', 'x', '--timeout', '1');
    expect([leaderless.code, leaderless.err]).toEqual([3, expect.stringContaining('leaderUnknown: ')]);
    const keys = first.node.asked.map((o) => (o.type === 'deploy' ? o.request : ''));
    expect(keys.length).toBeGreaterThan(1);
    expect(new Set(keys).size).toBe(1);
    first.node.answers.state = ({ agent }) => errors.agentNotReady({ agent });
    expect((await run([first.url], 'state', 'x', '--timeout', '1')).code).toBe(1);
  });

  it('says so when something else listens there', async () => {
    const server = createServer((_request, response) => response.writeHead(404).end('<html>'));
    strange.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { code, err } = await run([`http://127.0.0.1:${(server.address() as AddressInfo).port}`], 'status');
    expect([code, err]).toEqual([1, expect.stringContaining('not as a node does')]);
  });
});

describe('events', () => {
  it('prints a line for each that is stored', async () => {
    first.node.report(12, 'agentPlaced');
    first.node.report(0, 'nodeSuspected');
    const { code, out } = await run([first.url], 'events');
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toMatch(/^22:13:20\.012 +12 agentPlaced +agentPlaced at 12$/);
    expect(out.split('\n')[1]).toMatch(/^22:13:20\.000 +nodeSuspected +nodeSuspected at 0$/);
    const { json } = await run([first.url], 'events', '--since', '12', '--json');
    expect(json()).toMatchObject({ events: [{ kind: 'nodeSuspected' }] });
  });

  it('leaves the time of an event out when nobody knows it', () => {
    expect(eventLine({ index: 3, at_ms: 0, kind: 'votersChanged', text: 'voters: a', details: {} })).toMatch(
      /^ {12} +3 votersChanged +voters: a$/,
    );
  });

  it('keeps an event on its line, whatever an agent wrote', () => {
    const line = eventLine({ index: 3, at_ms: 0, kind: 'agentFailed', text: 'a failed:\n\u001b[2Jx', details: {} });
    expect(line).toMatch(/agentFailed +a failed: {2}\[2Jx$/);
  });

  it('follows, and goes on from another node behind the last event when one dies', async () => {
    const out = new Printed();
    const abort = new AbortController();
    const made = await client([first.url, second.url]);
    for (const index of [1, 2]) first.node.report(index);
    second.node.readiness = { ready: false, reason: 'not yet' };
    const { signal } = abort;
    const following = followEvents(made, { out, err: new Printed() }, { since: 0, json: true, signal });
    await expect.poll(() => out.text.split('\n')).toHaveLength(3);
    for (const index of [1, 2, 3]) second.node.report(index);
    await first.server.close();
    await expect.poll(() => out.text.split('\n')).toHaveLength(4);
    expect(out.lines.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual([1, 2, 3]);
    abort.abort();
    await following;
  });

  it('does not follow for ever when it is refused or nobody is there', async () => {
    const options = { since: 0, json: false, signal: new AbortController().signal };
    const console = { out: new Printed(), err: new Printed() };
    const stranger = new Client([first.url], 'wrong', { pauseMs: 10 });
    await expect(followEvents(stranger, console, options)).rejects.toMatchObject({ body: { code: 'tokenInvalid' } });
    const lost = followEvents(await client([nowhere], 100), console, options);
    await expect(lost).rejects.toBeInstanceOf(ClusterUnreachable);
  });
});
