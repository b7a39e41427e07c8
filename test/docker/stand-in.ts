import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A program that keeps a node's outer promises and nothing else: environment, secrets, HTTP, SIGTERM, and that it can
 * reach the others by their addresses. It exists to test the fleets apart from the cluster that runs in them.
 */
const program = `
import { createServer as createHttp } from 'node:http';
import { createServer, connect } from 'node:net';
import { createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
const env = process.env;
mkdirSync(env.CONCLAVE_DATA, { recursive: true });
const bootFile = env.CONCLAVE_DATA + '/boot';
const boot = existsSync(bootFile) ? Number(readFileSync(bootFile, 'utf8')) + 1 : 1;
writeFileSync(bootFile, String(boot));
const key = createPublicKey(readFileSync(env.CONCLAVE_TOKEN_PUBLIC_KEY_FILE));
if (!readFileSync(env.CONCLAVE_NETWORK_KEY_FILE, 'utf8').startsWith('/key/swarm/psk/1.0.0/')) throw new Error('no key');
if (existsSync(import.meta.dirname + '/fail-' + env.CONCLAVE_NAME)) throw new Error('told to fail');
process.on('SIGTERM', () => { console.log('got SIGTERM'); process.exit(0); });
console.log(JSON.stringify({ name: env.CONCLAVE_NAME, boot, expect: env.CONCLAVE_EXPECT, join: env.CONCLAVE_JOIN, uid: process.getuid() }));
const card = JSON.stringify({ name: env.CONCLAVE_NAME, admin: env.CONCLAVE_ADMIN_URL });
const seen = new Map();
const meet = (socket) => {
  socket.setTimeout(500, () => socket.destroy());
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (data) => { text += data; });
  socket.on('end', () => { try { const peer = JSON.parse(text); seen.set(peer.name, { ...peer, at: Date.now() }); } catch {} });
  socket.end(card);
};
const parts = (address) => { const [, , host, , port] = address.split('/'); return { host, port: Number(port) }; };
const listen = parts(env.CONCLAVE_LISTEN);
createServer(meet).listen(listen.port, listen.host);
setInterval(() => {
  for (const address of env.CONCLAVE_JOIN.split(',').filter(Boolean)) meet(connect(parts(address)));
}, 100);
const allowed = (header = '') => {
  const [head, body, signature] = header.replace('Bearer ', '').split('.');
  return signature !== undefined && verify(null, Buffer.from(head + '.' + body), key, Buffer.from(signature, 'base64url'));
};
const status = () => {
  const peers = [{ name: env.CONCLAVE_NAME, admin: env.CONCLAVE_ADMIN_URL, at: Date.now() }, ...seen.values()];
  const nodes = peers.map(({ name, admin, at }) => ({
    id: '12D3KooWstandin' + name, name, admin, status: 'active', membership: 'alive', reachable: Date.now() - at < 1_000,
    voter: Number(name.slice(5)) <= 5, leader: name === 'node-1', agents: 0,
  }));
  const one = nodes.find((node) => node.leader);
  return { cluster: 'stand-in', mode: 'quorum', self: nodes[0].id, nodes, agents: [],
    leader: one ? { id: one.id, name: one.name, admin: one.admin, term: 1 } : null };
};
createHttp((request, response) => {
  const known = request.url.startsWith('/health/') || allowed(request.headers.authorization);
  response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
  response.end(known ? JSON.stringify(request.url.startsWith('/api') ? status() : {}) : '{}');
}).listen(Number(env.CONCLAVE_ADMIN_PORT), env.CONCLAVE_ADMIN_HOST);
`;

export interface StandIn {
  directory: string;
  distDirectory: string;
  dockerfile: string;
  /** The named node will end with an error when it starts. */
  failOn(node: string): Promise<void>;
  remove(): Promise<void>;
}

/** Writes the stand-in as a built program into a new temporary directory. */
export async function makeStandIn(): Promise<StandIn> {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-fleet-'));
  const distDirectory = join(directory, 'dist');
  await mkdir(join(distDirectory, 'agents'), { recursive: true });
  // The comment makes the program, and so its image, this test run's own.
  await writeFile(join(distDirectory, 'node.mjs'), `// ${directory}\n${program}`);
  await writeFile(join(distDirectory, 'agents', 'counter.mjs'), 'export default {};\n');
  return {
    directory,
    distDirectory,
    dockerfile: resolve(import.meta.dirname, '../../docker/Dockerfile'),
    failOn: (node) => writeFile(join(distDirectory, `fail-${node}`), ''),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Waits until the condition holds; fails with its name after the deadline. */
export async function until(what: string, condition: () => Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(30);
  }
}

/** A first port with `count` free ports behind it, away from those that people use. */
export async function freePortRange(count: number, isTaken: (port: number) => Promise<boolean>): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const taken = await Promise.all(Array.from({ length: count }, (_, index) => isTaken(first + index)));
    if (!taken.includes(true)) return first;
  }
  throw new Error('no free ports');
}
