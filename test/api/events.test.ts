import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { createParser } from 'eventsource-parser';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ReportLog } from '../../node/api/report-log.ts';
import type { ServerInit } from '../../node/api/server.ts';
import { FakeNode, leader, makeToken, nodeView } from './fake-node.ts';

const path = '/api/v1/cluster/events';
let node: FakeNode;
let server: FastifyInstance;
let token: string;
const aborts: AbortController[] = [];

beforeEach(async () => {
  node = new FakeNode();
  token = await makeToken();
});
afterEach(async () => {
  for (const abort of aborts.splice(0)) abort.abort();
  await server.close();
});

async function listen(eventStream: NonNullable<ServerInit['eventStream']> = {}): Promise<string> {
  server = await node.serve({ eventStream });
  await server.listen({ host: '127.0.0.1', port: 0 });
  return `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
}

interface Heard {
  id: string | undefined;
  event: string | undefined;
  data: { index: number };
}

async function follow(url: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  aborts.push(abort);
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: abort.signal,
  });
  const events: Heard[] = [];
  const comments: string[] = [];
  let ended = false;
  const parser = createParser({
    onEvent: ({ id, event, data }) => void events.push({ id, event, data: JSON.parse(data) as { index: number } }),
    onComment: (text) => void comments.push(text),
  });
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) parser.feed(decoder.decode(bytes, { stream: true }));
  };
  void read()
    .catch(() => {})
    .then(() => {
      ended = true;
    });
  return { response, events, comments, abort, hasEnded: () => ended };
}

describe('the event stream', () => {
  it('sends what is stored and then what comes, with the log index as id', async () => {
    node.report(5);
    const { response, events } = await follow((await listen()) + path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('x-conclave-leader')).toBe(leader.id);
    expect(response.headers.get('x-conclave-node')).toBe(nodeView(1).id);
    node.report(6, 'agentActive', { holdersWanted: 3, userData: { someKey: 1 } });
    await expect.poll(() => events).toHaveLength(2);
    expect(events[0]).toMatchObject({ id: '5', event: 'agentPlaced', data: { index: 5, at_ms: 1_700_000_000_005 } });
    expect(events[1]).toMatchObject({
      ...{ id: '6', event: 'agentActive' },
      data: { text: 'agentActive at 6', details: { holders_wanted: 3, user_data: { someKey: 1 } } },
    });
  });

  it('resumes behind Last-Event-ID, which counts more than ?since=', async () => {
    for (const index of [1, 2, 3, 4]) node.report(index);
    const url = await listen();
    const byQuery = await follow(`${url}${path}?since=2`);
    const byHeader = await follow(`${url}${path}?since=1`, { 'last-event-id': '3' });
    await expect.poll(() => byQuery.events.map(({ id }) => id)).toEqual(['3', '4']);
    await expect.poll(() => byHeader.events.map(({ id }) => id)).toEqual(['4']);
  });

  it('does not tell again what the follower had from a node that was ahead', async () => {
    node.report(7);
    const { events } = await follow((await listen()) + path, { 'last-event-id': '9' });
    for (const index of [8, 9, 10]) node.report(index);
    await expect.poll(() => events.map(({ id }) => id)).toEqual(['10']);
  });

  it('gives no id to what only this node saw', async () => {
    node.report(3);
    const { events } = await follow((await listen()) + path);
    node.report(0, 'nodeSuspected');
    await expect.poll(() => events).toHaveLength(2);
    expect(events[1]).toMatchObject({ event: 'nodeSuspected', id: undefined });
  });

  it('answers the stored ones as a list when it is not to follow', async () => {
    for (const index of [1, 2, 3]) node.report(index);
    server = await node.serve();
    const headers = { authorization: `Bearer ${token}` };
    const all = await server.inject({ url: `${path}?follow=false`, headers });
    expect(all.json().map(({ index }: Heard['data']) => index)).toEqual([1, 2, 3]);
    const since = await server.inject({ url: `${path}?follow=false&since=2`, headers });
    expect(since.json()).toEqual([
      { index: 3, at_ms: 1_700_000_000_003, kind: 'agentPlaced', text: 'agentPlaced at 3', details: {} },
    ]);
    for (const query of ['since=x', 'since=-1', 'follow=maybe']) {
      const bad = await server.inject({ url: `${path}?${query}`, headers });
      expect([bad.statusCode, bad.json().error.code]).toEqual([400, 'bodyMalformed']);
    }
  });

  it('sends a comment when there is nothing to say', async () => {
    const { comments } = await follow((await listen({ heartbeatMs: 10 })) + path);
    await expect.poll(() => comments).toContain('still here');
  });

  it('refuses followers beyond its limit and takes a new one when one has gone', async () => {
    const url = await listen({ subscribersMax: 2 });
    const first = await follow(url + path);
    await follow(url + path);
    const third = await follow(url + path);
    expect(third.response.status).toBe(429);
    expect(third.response.headers.get('retry-after')).toBe('1');
    first.abort.abort();
    await expect.poll(async () => (await follow(url + path)).response.status).toBe(200);
  });

  it('lets go of a follower that does not read', async () => {
    const url = await listen({ queueMax: 10 });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.pause();
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    socket.on('error', () => {});
    const details = { filler: 'x'.repeat(200_000) };
    let index = 0;
    const openConnections = () =>
      new Promise<number>((resolve) => server.server.getConnections((_error, count) => resolve(count)));
    await expect
      .poll(
        async () => {
          node.report(++index, 'big', details);
          return openConnections();
        },
        { interval: 5, timeout: 10_000 },
      )
      .toBe(0);
    socket.resume();
    await expect.poll(() => closed).toBe(true);
  });

  it('ends for all followers when the server closes, at once', async () => {
    const { hasEnded, comments } = await follow((await listen()) + path);
    await expect.poll(() => comments.length).toBeGreaterThan(0);
    const begun = performance.now();
    await server.close();
    expect(performance.now() - begun).toBeLessThan(2_000);
    await expect.poll(hasEnded).toBe(true);
  });
});

describe('the report log', () => {
  const report = (index: number) => ({ index, atMs: 0, kind: 'k', text: `${index}`, details: {} });

  it('keeps the last reports in their order and forgets the oldest', () => {
    const log = new ReportLog(3);
    for (const index of [1, 2, 3, 4, 5]) log.append(report(index));
    expect(log.since(0).map(({ index }) => index)).toEqual([3, 4, 5]);
    expect(log.since(4).map(({ index }) => index)).toEqual([5]);
    expect(log.since(9)).toEqual([]);
    expect(log.since(1)).toHaveLength(3);
  });

  it('holds what only this node saw behind the report that it came after', () => {
    const log = new ReportLog();
    for (const index of [1, 0, 2, 0, 3]) log.append(report(index));
    expect(log.since(1).map(({ index }) => index)).toEqual([0, 2, 0, 3]);
    expect(log.since(2).map(({ index }) => index)).toEqual([0, 3]);
  });

  it('keeps changes of keys apart, so that they push out nothing else', () => {
    const log = new ReportLog(3, 2);
    log.append(report(1));
    for (const index of [2, 3, 4]) log.append({ ...report(index), kind: 'kvChanged' });
    log.append(report(5));
    for (const index of [6, 7]) log.append({ ...report(index), kind: 'kvChanged' });
    expect(log.since(0).map(({ index }) => index)).toEqual([1, 5, 6, 7]);
    expect(log.since(5).map(({ index }) => index)).toEqual([6, 7]);
  });

  it('tells subscribers until they leave', () => {
    const log = new ReportLog();
    const heard: number[] = [];
    const leave = log.subscribe(({ index }) => void heard.push(index));
    log.append(report(1));
    leave();
    log.append(report(2));
    expect(heard).toEqual([1]);
  });
});
