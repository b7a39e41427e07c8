import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DockerEngine, EngineError } from '../../node/runtime/docker-engine.ts';

let directory: string;
let socketPath: string;
let server: Server;
let engine: DockerEngine;
const sockets = new Set<Socket>();

/** Has an engine answer every question with this, or do with it what it likes; resolves to what it was asked. */
async function answering(answer: string | ((socket: Socket) => void)): Promise<string[]> {
  const asked: string[] = [];
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
      if (!text.includes('\r\n\r\n')) return;
      asked.push(text);
      if (typeof answer === 'function') answer(socket);
      else socket.end(answer);
    });
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return asked;
}

const http = (status: number, body: unknown): string => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `HTTP/1.1 ${status} X\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
};

const why = (work: Promise<unknown>): Promise<EngineError> =>
  work.then(
    (value) => Promise.reject(new Error(`it was answered with ${JSON.stringify(value)}`)),
    (error: unknown) => {
      expect(error).toBeInstanceOf(EngineError);
      return error as EngineError;
    },
  );

const id = 'ab'.repeat(32);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'engine-'));
  socketPath = join(directory, 'docker.sock');
  engine = new DockerEngine({ socketPath, timeoutMs: 300, answerBytesMax: 10_000 });
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  if (server?.listening) await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

describe('the client of the container engine', () => {
  test('asks as the API has it, and reads what it needs', async () => {
    const asked = await answering(http(201, { Id: id, Warnings: null }));
    expect(await engine.create({ Image: 'talk:1' })).toBe(id);
    expect(asked[0]).toMatch(/^POST \/v1\.41\/containers\/create HTTP\/1\.1\r\n/);
    expect(asked[0]).toMatch(/\{"Image":"talk:1"\}$/);
  });

  test('lists by all labels, and reads how a container ended', async () => {
    const listed = await answering(
      http(200, [
        { Id: id, Labels: { a: 'b' } },
        { Id: id, Labels: null },
      ]),
    );
    expect(await engine.list(['x', 'y=z'])).toEqual([
      { id, labels: { a: 'b' } },
      { id, labels: {} },
    ]);
    expect(decodeURIComponent(listed[0] ?? '')).toContain('filters={"label":["x","y=z"]}');
    await new Promise((resolve) => server.close(resolve));
    await answering(http(200, { State: { Running: false, ExitCode: 137, OOMKilled: true, Error: '' } }));
    expect(await engine.look(id)).toEqual({ running: false, exitCode: 137, outOfMemory: true, problem: '' });
  });

  test('says what the engine refuses, in its words and cut', async () => {
    await answering(http(409, { message: `no ${'x'.repeat(5_000)}` }));
    const error = await why(engine.start(id));
    expect(error.status).toBe(409);
    expect(error.message).toMatch(/^the container engine refuses \(409\): no x+$/);
    expect(error.message.length).toBeLessThan(600);
  });

  test.each([500, 302, 101, 404])('takes an answer %i without JSON for a refusal', async (status) => {
    await answering(http(status, 'no JSON'));
    expect((await why(engine.start(id))).message).toMatch(/refuses|does not speak|ended the connection/);
  });

  test('takes a container that is gone, or is going, for removed', async () => {
    await answering(http(404, { message: 'no such container' }));
    await engine.remove(id);
    await new Promise((resolve) => server.close(resolve));
    await answering(http(409, { message: 'removal is already in progress' }));
    await engine.remove(id);
    await new Promise((resolve) => server.close(resolve));
    await answering(http(500, { message: 'busy' }));
    expect((await why(engine.remove(id))).status).toBe(500);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['never answers', () => {}],
    ['begins to answer and stops', (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{')],
    [
      'answers a byte at a time without end',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        const timer = setInterval(() => socket.write('1\r\n \r\n'), 10);
        socket.once('close', () => clearInterval(timer));
      },
    ],
  ])('gives up on an engine that %s', async (_, answer) => {
    await answering(answer);
    expect((await why(engine.look(id))).message).toBe('the container engine does not answer within 300 ms');
  });

  test('reads no more than it has room for', async () => {
    await answering(http(200, 'x'.repeat(10_001)));
    expect((await why(engine.look(id))).message).toMatch(/more than 10000 bytes/);
    await new Promise((resolve) => server.close(resolve));
    await answering((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      for (let at = 0; at < 100; at++) socket.write(`400\r\n${'x'.repeat(1_024)}\r\n`);
    });
    expect((await why(engine.look(id))).message).toMatch(/more than 10000 bytes/);
  });

  test.each([
    ['no HTTP', 'hello there\r\n\r\n'],
    ['half of an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}'],
    ['nothing', ''],
    ['JSON that is none', http(200, '{"Id":')],
    ['another form', http(200, [1, 2])],
    ['an id that is none', http(200, { Id: '../../images/x' })],
    ['nothing in it', http(200, '')],
  ])('bears an engine that answers with %s', async (_, answer) => {
    await answering(answer);
    const { message } = await why(engine.create({}));
    expect(message).toMatch(/does not speak as it should|ended the connection|with no container/);
    await why(engine.look(id));
    await why(engine.attach(id));
  });

  test('says that nothing listens', async () => {
    for (const work of [engine.look(id), engine.attach(id)]) {
      expect((await why(work)).message).toBe(`the container engine is gone: nothing listens at ${socketPath}`);
    }
  });
});

describe('attaching to a container', () => {
  const upgrade = 'HTTP/1.1 101 UPGRADED\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n';

  test('gives a connection both ways, with what came along with the answer', async () => {
    const asked = await answering((socket) => {
      socket.write(`${upgrade}early`);
      socket.removeAllListeners('data');
      socket.on('data', (data) => socket.end(`heard ${String(data)}`));
    });
    const attached = await engine.attach(id);
    attached.write('words');
    let text = '';
    for await (const part of attached) text += String(part);
    expect(text).toBe('earlyheard words');
    expect(asked[0]).toContain(`/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`);
    expect(asked[0]).toMatch(/upgrade: tcp/i);
  });

  test('has a time limit, and none once attached', async () => {
    await answering(() => {});
    expect((await why(engine.attach(id))).message).toMatch(/does not answer within 300 ms/);
    await new Promise((resolve) => server.close(resolve));
    await answering((socket) => {
      socket.write(upgrade);
      socket.removeAllListeners('data');
      setTimeout(() => socket.end('late'), 400);
    });
    let text = '';
    for await (const part of await engine.attach(id)) text += String(part);
    expect(text).toBe('late');
  });

  test('is refused in words', async () => {
    await answering(http(404, { message: 'No such container' }));
    const error = await why(engine.attach(id));
    expect([error.status, error.message]).toEqual([404, 'the container engine refuses (404): No such container']);
  });

  test('is refused when the answer is no upgrade', async () => {
    await answering(http(200, 'OK'));
    await why(engine.attach(id));
  });
});
