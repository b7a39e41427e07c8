import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../docker/host-port.ts';
import { openHome } from '../../node/cli/home.ts';
import { signToken } from '../../node/cli/token.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { Testbed } from './testbed.ts';

const program = fileURLToPath(new URL('../../dist/node.mjs', import.meta.url));
const command = fileURLToPath(new URL('../../bin/conclave.js', import.meta.url));
const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  text: string;
}

/** Keys, ports and an empty data directory for one node of a cluster of one. */
async function newNode(): Promise<{ directory: string; env: Record<string, string>; token: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-bad-'));
  made.push(directory);
  const home = openHome(join(directory, 'home'));
  await home.makeSecrets();
  const env = {
    CONCLAVE_DATA: join(directory, 'data'),
    CONCLAVE_NAME: 'alone',
    CONCLAVE_LISTEN: '/ip4/127.0.0.1/tcp/0',
    CONCLAVE_EXPECT: '1',
    CONCLAVE_ADMIN_PORT: String(await freePort()),
    CONCLAVE_NETWORK_KEY_FILE: join(home.directory, 'secrets', 'network.key'),
    CONCLAVE_TOKEN_PUBLIC_KEY_FILE: join(home.directory, 'secrets', 'token-public.pem'),
    CONCLAVE_TYPES: fileURLToPath(new URL('../../dist/agents', import.meta.url)),
  };
  return { directory, env, token: await signToken(home) };
}

interface Started {
  ended: Promise<Ended>;
  /** Standard output, as far as it has come. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
}

function start(env: Record<string, string>): Started {
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  let log = '';
  child.stdout.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) => child.on('exit', (code) => resolve({ code, text })));
  return { ended, log: () => log, kill: (signal) => child.kill(signal) };
}

async function untilReady({ CONCLAVE_ADMIN_PORT: port }: Record<string, string>): Promise<void> {
  const ask = async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).status;
  await expect.poll(() => ask().catch(() => 0), { timeout: 20_000 }).toBe(200);
}

/** Runs the node until it is ready, and ends it in good order. */
async function live(env: Record<string, string>, meanwhile: () => Promise<void> = async () => {}): Promise<Ended> {
  const node = start(env);
  await untilReady(env);
  await meanwhile();
  node.kill('SIGTERM');
  return node.ended;
}

/** Damages the store of a data directory in the middle of its log. */
async function flipBit(data: string): Promise<void> {
  const store = join(data, 'store');
  const log = join(store, (await readdir(store)).find((file) => file.endsWith('.log')) ?? '');
  const bytes = await readFile(log);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
  await writeFile(log, bytes);
}

async function snapshot(directory: string): Promise<Record<string, string>> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const entries = files
    .filter((file) => file.isFile() && !/^(LOCK|LOG|LOG\.old)$/.test(file.name))
    .map(async (file) => {
      const path = join(file.parentPath, file.name);
      return [path, (await readFile(path)).toString('base64')] as const;
    });
  return Object.fromEntries(await Promise.all(entries));
}

const unusable = [
  ['CONCLAVE_LISTEN', 'nonsense'],
  ['CONCLAVE_ANNOUNCE', 'nonsense'],
  ['CONCLAVE_JOIN', 'host:notaport'],
  ['CONCLAVE_LOG_LEVEL', 'verbose'],
] as const;

describe('a node that cannot start says why, what is unchanged, and what to do', () => {
  test('without a setting that it needs', async () => {
    const { env } = await newNode();
    const { CONCLAVE_NAME: _, ...rest } = env;
    expect(await start(rest).ended).toEqual({
      code: 64,
      text: expect.stringMatching(/CONCLAVE_NAME is missing. Nothing was started. Set it, for example/),
    });
  });

  test('with settings that cannot be used', async () => {
    const { env } = await newNode();
    for (const [name, value] of unusable) {
      const { code, text } = await start({ ...env, [name]: value }).ended;
      expect([name, code, text]).toEqual([
        name,
        64,
        expect.stringMatching(new RegExp(`^${name} .*Nothing was started\\. Set it, for example: .*\\n$`)),
      ]);
    }
    await expect(readdir(env['CONCLAVE_DATA'] ?? '')).rejects.toThrow(/ENOENT/);
  });

  test('with key files that are none, before its data directory is claimed', async () => {
    const { directory, env } = await newNode();
    const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { privateKey } = generateKeyPairSync('ed25519');
    const files = [
      ['CONCLAVE_TOKEN_PUBLIC_KEY_FILE', 'no key', /that is not an Ed25519 public key in PEM/],
      ['CONCLAVE_TOKEN_PUBLIC_KEY_FILE', rsa.export({ type: 'spki', format: 'pem' }), /that is not an Ed25519 public/],
      ['CONCLAVE_TOKEN_PUBLIC_KEY_FILE', privateKey.export({ type: 'pkcs8', format: 'pem' }), /that is not an Ed25519/],
      ['CONCLAVE_NETWORK_KEY_FILE', 'no key', /that is not a network key/],
    ] as const;
    for (const [name, content, reason] of files) {
      const file = join(directory, 'bad.key');
      await writeFile(file, content);
      const { code, text } = await start({ ...env, [name]: file }).ended;
      expect([name, code, text]).toEqual([name, 64, expect.stringMatching(reason)]);
      expect(text).toMatch(new RegExp(`^${name} .*Nothing was started\\. Set it, for example: .*\\n$`));
    }
    await expect(readdir(env['CONCLAVE_DATA'] ?? '')).rejects.toThrow(/ENOENT/);
  });

  test('when its port is taken', async () => {
    const { env } = await newNode();
    const taken = createServer().listen(Number(env['CONCLAVE_ADMIN_PORT']), '127.0.0.1');
    try {
      const { code, text } = await start(env).ended;
      expect([code, text]).toEqual([69, expect.stringMatching(/port is taken.*Set CONCLAVE_ADMIN_PORT/)]);
    } finally {
      taken.close();
    }
  });

  test('when its peer port is taken', async () => {
    const { env } = await newNode();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const listen = `/ip4/127.0.0.1/tcp/${(taken.address() as AddressInfo).port}`;
    try {
      const { code, text } = await start({ ...env, CONCLAVE_LISTEN: listen }).ended;
      expect(code).toBe(69);
      expect(text).toMatch(/^CONCLAVE_LISTEN has .*EADDRINUSE.*Nothing was started.*set CONCLAVE_LISTEN to .*\n$/);
      expect(text).toContain(listen);
    } finally {
      taken.close();
    }
  });

  test("on another cluster's data directory", async () => {
    const { env } = await newNode();
    const other = await newNode();
    expect((await live(env)).code).toBe(0);
    const data = env['CONCLAVE_DATA'] ?? '';
    const before = await snapshot(data);
    const { code, text } = await start({ ...other.env, CONCLAVE_DATA: data }).ended;
    expect([code, text]).toEqual([
      78,
      expect.stringMatching(/belongs to a node of another cluster.*Nothing was changed/),
    ]);
    expect(await snapshot(data)).toEqual(before);
  });

  test.each([
    ['that nobody is there to repair', {}, /CONCLAVE_JOIN names no node.*Set it.*or remove this node's data/],
    [
      'where that is to stop it',
      { CONCLAVE_ON_DAMAGE: 'stop', CONCLAVE_JOIN: '127.0.0.1:9' },
      /Remove this node's data/,
    ],
  ])('on a data directory with a flipped bit %s', async (_, settings, next) => {
    const { env } = await newNode();
    expect((await live(env)).code).toBe(0);
    const data = env['CONCLAVE_DATA'] ?? '';
    await flipBit(data);
    const before = await snapshot(data);
    const { code, text } = await start({ ...env, ...settings }).ended;
    expect([code, text]).toEqual([65, expect.stringMatching(/damaged.*Nothing was changed/)]);
    expect(text).toMatch(next);
    expect(await snapshot(data)).toEqual(before);
  });

  test('on a data directory whose network file has a flipped bit', async () => {
    const { env } = await newNode();
    expect((await live(env)).code).toBe(0);
    const data = env['CONCLAVE_DATA'] ?? '';
    const bytes = await readFile(join(data, 'network'));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
    await writeFile(join(data, 'network'), bytes);
    const before = await snapshot(data);
    const { code, text } = await start(env).ended;
    expect([code, text]).toEqual([
      65,
      expect.stringMatching(/damaged. Nothing was changed. Restore it, or start with/),
    ]);
    expect(await snapshot(data)).toEqual(before);
  });

  test('while another node runs on its data directory, also when that looks damaged', async () => {
    const { env } = await newNode();
    const data = env['CONCLAVE_DATA'] ?? '';
    await live(env, async () => {
      for (const damage of [async () => {}, () => flipBit(data)]) {
        await damage();
        const second = { ...env, CONCLAVE_ADMIN_PORT: String(await freePort()), CONCLAVE_JOIN: '127.0.0.1:9' };
        const { code, text } = await start(second).ended;
        expect([code, text]).toEqual([73, expect.stringMatching(/in use: another node runs on it/)]);
        expect((await readdir(data)).sort()).toEqual(['identity.key', 'network', 'processes', 'store', 'types']);
      }
    });
  });
});

describe('a node whose store is damaged', () => {
  test('founds no second cluster, and says what it waits for, at every start', async () => {
    const { env } = await newNode();
    expect((await live(env)).code).toBe(0);
    await flipBit(env['CONCLAVE_DATA'] ?? '');
    const url = `http://127.0.0.1:${env['CONCLAVE_ADMIN_PORT']}/health/ready`;
    for (let time = 0; time < 2; time++) {
      // Alone it would found at once: it expects one founder.
      const node = start({ ...env, CONCLAVE_JOIN: '127.0.0.1:9' });
      await expect.poll(node.log, { timeout: 20_000 }).toMatch(/cannot reach the join address/);
      const { ready, reason } = (await (await fetch(url)).json()) as { ready: boolean; reason: string };
      expect([ready, reason]).toEqual([false, expect.stringMatching(/not met a cluster yet\. The store.*was damaged/)]);
      expect(node.log()).toMatch(/"level":50.*"kind":"storeDamaged"/);
      node.kill('SIGTERM');
      expect((await node.ended).code).toBe(0);
    }
  });
});

describe('a node that is asked to stop while it starts', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('ends at once on %s, with one line about it', async (signal) => {
    const { directory, env } = await newNode();
    // Whoever opens a pipe waits for the other end: the node is in the middle of its start until this one closes.
    const pipe = join(directory, 'slow.key');
    execFileSync('mkfifo', [pipe]);
    const node = start({ ...env, CONCLAVE_NETWORK_KEY_FILE: pipe });
    const end = await open(pipe, 'w');
    try {
      node.kill(signal);
      await expect.poll(node.log, { timeout: 5_000 }).toMatch(/asked to stop before it had started/);
    } finally {
      await end.close();
    }
    expect(await node.ended).toEqual({ code: 0, text: '' });
    expect(node.log().trim().split('\n')).toHaveLength(1);
  });
});

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a full disk (needs root, for a small file system)', () => {
  test('ends the node with one message, and what was acknowledged is there afterwards', async () => {
    const { directory, env, token } = await newNode();
    const small = join(directory, 'small');
    await mkdir(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small]);
    try {
      const onSmall = { ...env, CONCLAVE_DATA: join(small, 'data') };
      const post = async (path: string, body: unknown) => {
        const url = `http://127.0.0.1:${env['CONCLAVE_ADMIN_PORT']}/api/v1/cluster${path}`;
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      };
      const node = start(onSmall);
      await untilReady(onSmall);
      expect((await post('/agents/deploy', { agent_type: 'trading', name: 'one' })).status).toBe(201);
      let acknowledged = 0;
      for (let n = 0; n < 50_000; n++) {
        const tick = { symbol: `S${n % 900}`, price: 1 + n };
        const answer = await post('/agents/one/tasks', { id: `t${n}`, payload: tick }).catch(() => undefined);
        if (answer?.status !== 200) break;
        acknowledged += 1;
      }
      const { code, text } = await node.ended;
      expect([code, text]).toEqual([
        74,
        expect.stringMatching(/is full.*Nothing that was acknowledged is lost.*Free some space/),
      ]);
      execFileSync('mount', ['-o', 'remount,size=64m', small]);
      await live(onSmall, async () => {
        const url = `http://127.0.0.1:${env['CONCLAVE_ADMIN_PORT']}/api/v1/cluster/agents/one/state`;
        let counted = 0;
        await expect
          .poll(
            async () => {
              const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
              if (answer.status !== 200) return answer.status;
              const { state } = (await answer.json()) as { state: Record<string, { count: number }> };
              counted = Object.values(state).reduce((sum, { count }) => sum + count, 0);
              return 200;
            },
            { timeout: 20_000 },
          )
          .toBe(200);
        // The last one may have reached the disk and not the asker.
        expect([acknowledged, acknowledged + 1]).toContain(counted);
      });
    } finally {
      execFileSync('umount', ['-l', small]);
    }
  });
});

function conclave(args: string[], env: Record<string, string>): Promise<Ended & { out: string }> {
  const child = spawn(process.execPath, [command, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env } });
  let text = '';
  let out = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  return new Promise((resolve) => child.on('exit', (code) => resolve({ code, text, out })));
}

describe('the command line', () => {
  test('starts processes, with one line about it, where no Docker engine is in reach', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'conclave-cli-'));
    made.push(directory);
    const env = { CONCLAVE_HOME: directory, DOCKER_HOST: `unix://${directory}/none.sock` };
    const port = String(await freePort());
    const up = await conclave(['up', '1', '--name', 'no-docker', '--port', port, '--json'], env);
    const down = await conclave(['down', '--name', 'no-docker'], env);
    expect([up.code, down.code], up.text).toEqual([0, 0]);
    expect(up.text.split('\n')[0]).toMatch(/No Docker engine in reach: the nodes run as processes/);
    expect(JSON.parse(up.out)).toMatchObject({ ok: true, kind: 'processes' });
    const forced = await conclave(['up', '1', '--docker', '--name', 'no-docker'], env);
    expect([forced.code, forced.text]).toEqual([69, expect.stringMatching(/Docker/)]);
  });

  test('names the port that is taken, and leaves nothing behind', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'conclave-cli-'));
    made.push(directory);
    const port = await freePort();
    const taken = createServer().listen(port, '127.0.0.1');
    try {
      const up = await conclave(['up', '1', '--processes', '--name', 'taken', '--port', String(port)], {
        CONCLAVE_HOME: directory,
      });
      expect([up.code, up.text]).toEqual([1, expect.stringMatching(new RegExp(`${port}.*--port`))]);
    } finally {
      taken.close();
    }
  });
});

describeWithDocker('a container that is asked to stop', () => {
  test('leaves by itself before it would be killed, and its agents go on elsewhere at once', async () => {
    await Testbed.with('docker', async (testbed) => {
      await testbed.up(3);
      const [admin = ''] = testbed.nodes.map((node) => node.admin);
      await testbed.call(admin, '/agents/deploy', { agent_type: 'trading', count: 3 }, 30_000);
      const { nodes } = await testbed.status();
      const leaving = nodes.find(({ leader }) => !leader)?.name ?? '';
      await testbed.fleet.stop(leaving);
      // It ended by itself, within its own limit; a fleet kills only after 10 s, which would show as 137.
      expect((await testbed.fleet.list()).find(({ name }) => name === leaving)).toMatchObject({ exitCode: 0 });
      const after = await testbed.status();
      expect(after.nodes.find(({ name }) => name === leaving)?.membership).toBe('left');
      expect(after.agents.every(({ status, host_name: host }) => status === 'active' && host !== leaving)).toBe(true);
    });
  });
});
