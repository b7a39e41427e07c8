import { spawn } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { decodeProtectedHeader, importSPKI, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isPortTaken } from '../../docker/host-port.ts';
import { bringUp, waitForMembers } from '../../node/cli/bring-up.ts';
import { down } from '../../node/cli/down.ts';
import { type Home, homeDirectory, openHome } from '../../node/cli/home.ts';
import { claimHome } from '../../node/cli/home-claim.ts';
import { kill } from '../../node/cli/kill.ts';
import { createProcessFleet } from '../../node/cli/process-fleet.ts';
import { lookAtProcess, type ProcessIdentity } from '../../node/cli/process-identity.ts';
import { runCommandLine } from '../../node/cli/program.ts';
import { signToken } from '../../node/cli/token.ts';
import { type Console, up } from '../../node/cli/up.ts';
import { freePortRange, makeStandIn, type StandIn, until } from '../docker/stand-in.ts';

const waitedMs = 10_000;

let standIn: StandIn;
let home: Home;
let port: number;
let printed: { out: string; err: string };

function console(onErr: (text: string) => void = () => {}): Console {
  const writable = (to: 'out' | 'err', on: (text: string) => void) =>
    new Writable({
      write(chunk, _, done) {
        printed[to] += String(chunk);
        on(String(chunk));
        done();
      },
    });
  return { out: writable('out', () => {}), err: writable('err', onErr) };
}

const options = () => ({
  name: 'local',
  processes: true,
  home: home.directory,
  distDirectory: standIn.distDirectory,
  port,
  timeoutMs: 15_000,
});
const openProcesses = () =>
  createProcessFleet({ name: 'local', home, distDirectory: standIn.distDirectory, portFirst: port });

beforeEach(async () => {
  standIn = await makeStandIn();
  home = openHome(join(standIn.directory, 'state', 'local'));
  port = await freePortRange(6, isPortTaken);
  printed = { out: '', err: '' };
});
afterEach(async () => {
  await openProcesses().down();
  await standIn.remove();
});

describe('a fleet of local processes', { timeout: 60_000 }, () => {
  it('comes up, is shown as a table with what to try next, and goes without a trace', async () => {
    expect(await up(3, options(), console())).toBe(0);
    for (const part of [
      'node-1',
      'leader',
      'voter',
      `http://127.0.0.1:${port + 2}`,
      'node-1 leads',
      'conclave kill node-1 --name local',
    ])
      expect(printed.out).toContain(part);
    const pids = (await openProcesses().list()).map((node) => Number(node.handle));
    expect(await down(options(), console())).toBe(0);
    // What has ended can be seen until this process has taken note of it.
    await vi.waitFor(() => {
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    }, waitedMs);
    await expect(stat(home.directory)).rejects.toThrow('ENOENT');
    expect(await down(options(), console())).toBe(0);
    expect(printed.out).toContain('nothing of cluster "local" to remove');
  });

  it('is not changed by a second up, grows by a larger one and refuses a smaller one', async () => {
    expect(await up(2, { ...options(), json: true }, console())).toBe(0);
    const first = JSON.parse(printed.out);
    expect(first).toMatchObject({
      ok: true,
      kind: 'processes',
      created: ['node-1', 'node-2'],
      leader: { name: 'node-1' },
    });
    printed.out = '';
    expect(await up(3, { ...options(), json: true }, console())).toBe(0);
    const second = JSON.parse(printed.out);
    expect(second).toMatchObject({ created: ['node-3'], revived: [] });
    expect(second.nodes.slice(0, 2).map((node: { pid: string }) => node.pid)).toEqual(
      first.nodes.map((node: { pid: string }) => node.pid),
    );
    expect(await openProcesses().logs('node-3')).toContain('"expect":"0"');
    expect(await up(2, options(), console())).toBe(1);
    expect(printed.err).toContain('has 3 nodes, and "up" does not make it smaller. Nothing was changed.');
  });

  it('kills by the end of an id, and starts the dead one again on its disk', async () => {
    await bringUp({ fleet: openProcesses(), home, count: 2 });
    expect(await kill('innode-2', options(), console())).toBe(0);
    expect(printed.out).toContain('node-2 was killed');
    expect((await openProcesses().list()).map((node) => node.state)).toEqual(['running', 'exited']);
    expect(await kill('node-2', options(), console())).toBe(1);
    expect(await kill('node-7', options(), console())).toBe(1);
    expect(printed.err).toContain('There is no node "node-7" in cluster "local"');
    const { revived } = await bringUp({ fleet: openProcesses(), home, count: 2 });
    expect(revived).toEqual(['node-2']);
    expect(await openProcesses().logs('node-2')).toContain('"boot":2');
  });

  it('is brought up again by the command without its port', async () => {
    expect(await up(1, options(), console())).toBe(0);
    vi.stubEnv('CONCLAVE_HOME', join(standIn.directory, 'state'));
    try {
      const again = ['up', '1', '--processes', '--name', 'local'];
      expect(await runCommandLine(again, console()), printed.err).toBe(0);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it.skipIf(process.platform !== 'linux')('keeps what agents may run in without being told again', async () => {
    const environmentOf = async (): Promise<string> => {
      const [{ handle } = { handle: '' }] = await openProcesses().list();
      return (await readFile(`/proc/${handle}/environ`, 'utf8')).replaceAll('\0', '\n');
    };
    const made = { ...options(), interpreters: ['node=/usr/bin/node'], containers: ['talk:1', 'talk:2'] };
    expect(await up(1, made, console())).toBe(0);
    const given = /CONCLAVE_INTERPRETERS=node=\/usr\/bin\/node\n[^]*CONCLAVE_CONTAINER_IMAGES=talk:1,talk:2\n/;
    expect(await environmentOf()).toMatch(given);
    await openProcesses().kill('node-1');
    const again = { ...options(), port: undefined };
    expect(await up(1, again, console())).toBe(0);
    expect(await environmentOf()).toMatch(given);
    expect(await up(1, { ...again, base: 'node:24' }, console())).toBe(1);
    expect(printed.err).toContain('"--base" is for nodes in Docker. Nothing was changed.');
  });

  it('pauses, goes on and stops', async () => {
    const fleet = openProcesses();
    await bringUp({ fleet, home, count: 1 });
    const state = async () => (await fleet.list())[0]?.state;
    await fleet.pause('node-1');
    await until('paused', async () => (await state()) === 'paused');
    await fleet.unpause('node-1');
    await until('running', async () => (await state()) === 'running');
    await fleet.stop('node-1');
    expect(await state()).toBe('exited');
    expect(await fleet.logs('node-1')).toContain('got SIGTERM');
  });

  it('never signals another process that got a recorded pid', async () => {
    const fleet = openProcesses();
    await bringUp({ fleet, home, count: 1 });
    await fleet.kill('node-1');
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      const path = join(home.directory, 'nodes', 'node-1', 'process.json');
      const record = JSON.parse(await readFile(path, 'utf8'));
      const { pid, command, started } = (await lookAtProcess(stranger.pid as number)) as ProcessIdentity;
      record.process = { pid, command, started: `${started}0` };
      await writeFile(path, JSON.stringify(record));
      await fleet.kill('node-1');
      await fleet.down();
      expect(process.kill(stranger.pid as number, 0)).toBe(true);
      expect([stranger.exitCode, stranger.signalCode]).toEqual([null, null]);
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('says what a node that ends at once said last', async () => {
    await standIn.failOn('node-2');
    expect(await up(2, options(), console())).toBe(70);
    expect(printed.err).toMatch(/node-2 ended.*Its last words:.*told to fail.*conclave down --name local/s);
  });

  it('names the taken port and the option, and leaves nothing', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port + 1, '127.0.0.1', resolve));
    expect(await up(3, options(), console())).toBe(1);
    expect(printed.err).toMatch(new RegExp(`Port ${port + 1}, the admin port of node-2.*"--port"`));
    await expect(stat(home.directory)).rejects.toThrow('ENOENT');
    server.close();
  });

  it('when interrupted, says what is left and how to remove it', async () => {
    const interruptOnce = (text: string): void => {
      if (text.includes('processes run')) process.emit('SIGINT');
    };
    expect(await up(2, options(), console(interruptOnce))).toBe(130);
    expect(printed.err).toMatch(/Interrupted\. node-1, node-2 are left.*conclave down --name local/);
    expect(await down({ ...options(), processes: undefined }, console())).toBe(0);
    await expect(stat(home.directory)).rejects.toThrow('ENOENT');
  });

  it('gives up after the timeout and says who is missing', async () => {
    const fleet = openProcesses();
    await bringUp({ fleet, home, count: 2 });
    await fleet.pause('node-2');
    const late = waitForMembers({ fleet, home, timeoutMs: 2_000 });
    await expect(late).rejects.toMatchObject({
      exitCode: 124,
      message: expect.stringMatching(/missing: node-2; node-2 is paused/),
    });
  });
});

describe('the state directory', () => {
  it('is below the working directory unless CONCLAVE_HOME names another place', () => {
    expect(homeDirectory('a', { env: {}, cwd: '/w' })).toBe('/w/.conclave/a');
    expect(homeDirectory('a', { env: { CONCLAVE_HOME: '/h' }, cwd: '/w' })).toBe('/h/a');
    for (const name of ['', '../up', 'A', 'a/b', '-a'])
      expect(() => homeDirectory(name)).toThrow('cannot name a cluster');
  });

  it('signs tokens that its public key accepts, and only for the admin API', async () => {
    await expect(signToken(home)).rejects.toThrow('no key for tokens');
    const { tokenPublicKey } = await home.makeSecrets();
    const token = await signToken(home.directory);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', typ: 'at+jwt' });
    const key = await importSPKI(Buffer.from(tokenPublicKey).toString('utf8'), 'EdDSA');
    const { payload } = await jwtVerify(token, key, { issuer: 'conclave', audience: 'conclave-admin', typ: 'at+jwt' });
    expect(payload.sub).toBe('operator');
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(12 * 3600);
  });

  it('makes a network key in the standard format', async () => {
    const { networkKey } = await home.makeSecrets();
    expect(Buffer.from(networkKey).toString('utf8')).toMatch(
      /^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[0-9a-f]{64}$/,
    );
  });

  it('lets one command at a time bring the cluster up or down', async () => {
    const release = await claimHome(home);
    await expect(claimHome(home)).rejects.toThrow(/Another command \(process \d+\).*Nothing was changed/);
    await release();
    await (await claimHome(home))();
    await expect(readdir(home.directory)).rejects.toThrow('ENOENT');
  });

  it('takes over the claim of a process that has ended', async () => {
    const release = await claimHome(home);
    const path = join(home.directory, 'claim.json');
    const claim = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...claim, started: '1' }));
    await (await claimHome(home))();
    await release();
  });
});
