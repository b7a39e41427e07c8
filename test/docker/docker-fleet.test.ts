import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { labels } from '../../docker/container.ts';
import { connectEngine, type Engine } from '../../docker/engine.ts';
import type { FleetNode } from '../../docker/fleet.ts';
import { isPortTaken } from '../../docker/host-port.ts';
import { askAny, bringUp } from '../../node/cli/bring-up.ts';
import { type DockerFleet, type FleetOptions, openFleet } from '../../node/cli/fleet.ts';
import type { Home } from '../../node/cli/home.ts';
import { signToken } from '../../node/cli/token.ts';
import { freePortRange, makeStandIn, type StandIn, until } from './stand-in.ts';

const engine = await connectEngine().catch(() => undefined);
const unique = `test-${process.pid}-${Date.now().toString(36).slice(-5)}`;

/** Everything on the engine that carries the cluster's label, as `kind name`. */
async function leftovers(on: Engine, cluster: string): Promise<string[]> {
  const filters = { label: [`${labels.cluster}=${cluster}`] };
  const containers = await on.listContainers({ all: true, filters });
  const { Volumes } = await on.listVolumes({ filters: JSON.stringify(filters) });
  const networks = await on.listNetworks({ filters });
  return [
    ...containers.map((found) => `container ${found.Names[0]}`),
    ...(Volumes ?? []).map((found) => `volume ${found.Name}`),
    ...networks.map((found) => `network ${found.Name}`),
  ];
}

describe.skipIf(engine === undefined)('a fleet of containers (needs a Docker engine)', { timeout: 90_000 }, () => {
  let standIn: StandIn;
  let fleet: DockerFleet;
  let home: Home;
  let portFirst: number;
  let nodes: FleetNode[];

  const open = async (name: string, options: Partial<FleetOptions> = {}) => {
    const { distDirectory, dockerfile, directory } = standIn;
    const homeDirectory = options.home ?? join(directory, 'state', name);
    const chosen = await openFleet({
      name,
      kind: 'docker',
      distDirectory,
      dockerfile,
      ...options,
      home: homeDirectory,
    });
    return { home: chosen.home, fleet: chosen.fleet as DockerFleet };
  };
  const node = (name: string): FleetNode => nodes.find((each) => each.name === name) as FleetNode;
  const startTimes = async (): Promise<string[]> =>
    Promise.all(nodes.map(async ({ handle }) => (await fleet.engine.getContainer(handle).inspect()).State.StartedAt));

  beforeAll(async () => {
    standIn = await makeStandIn();
    portFirst = await freePortRange(6, isPortTaken);
    ({ fleet, home } = await open(unique, { portFirst }));
    ({ nodes } = await bringUp({ fleet, home, count: 3 }));
  }, 120_000);

  afterAll(async () => {
    const images = new Set<string>();
    for (const { ImageID } of await fleet.engine.listContainers({
      all: true,
      filters: { label: [`${labels.cluster}=${unique}`] },
    }))
      images.add(ImageID);
    await fleet.down();
    for (const image of images) await fleet.engine.getImage(image).remove();
    await standIn.remove();
  }, 60_000);

  it('publishes one admin port after the other and resolves every name', async () => {
    expect(nodes.map(({ admin, state }) => [admin, state])).toEqual(
      [0, 1, 2].map((offset) => [`http://127.0.0.1:${portFirst + offset}`, 'running']),
    );
    const token = await signToken(home);
    // The one that started last may not have looked up all the others yet.
    await vi.waitFor(
      async () => {
        const status = await askAny([node('node-3')], token);
        expect(status?.nodes.filter((each) => each.reachable)).toHaveLength(3);
      },
      { timeout: 20_000, interval: 200 },
    );
  });

  it('gives containers no rights, and nothing secret that inspect would show', async () => {
    const secrets = await home.secrets();
    const key = Buffer.from(secrets?.networkKey ?? '')
      .toString('utf8')
      .split('\n')[2] as string;
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    const seen = await fleet.engine.getContainer(node('node-1').handle).inspect();
    const text = JSON.stringify(seen) + (await fleet.logs('node-1'));
    expect(text).not.toContain(key);
    expect(text).not.toContain('BEGIN');
    expect(text).toContain('"uid":1000');
    expect(seen.HostConfig).toMatchObject({ CapDrop: ['ALL'], ReadonlyRootfs: true, RestartPolicy: { Name: 'no' } });
    expect(seen.Config.Labels).toMatchObject({ [labels.node]: 'node-1', 'autogen.agent.capable': 'true' });
  });

  it('keeps the secrets readable by their owner alone', async () => {
    expect((await stat(home.directory)).mode & 0o777).toBe(0o700);
    const directory = join(home.directory, 'secrets');
    for (const file of await readdir(directory)) expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toHaveLength(3);
  });

  it('changes nothing when it is brought up twice', async () => {
    const before = await startTimes();
    const again = await bringUp({ fleet, home, count: 3 });
    expect([again.created, again.revived]).toEqual([[], []]);
    expect(await startTimes()).toEqual(before);
  });

  it('gives nodes the engine if told to, and removes what they made for agents', async () => {
    const inspect = async (handle: string) => fleet.engine.getContainer(handle).inspect();
    const { HostConfig: plain, Config: without } = await inspect(node('node-1').handle);
    expect(JSON.stringify([plain, without])).not.toMatch(/docker\.sock|CONCLAVE_(CONTAINER|INTERPRETERS)/);
    const name = `${unique}-e`;
    const programs = { interpreters: ['node=/usr/local/bin/node'], containers: ['talk:1', 'talk:2'] };
    const able = await open(name, { portFirst: await freePortRange(1, isPortTaken), programs });
    const { nodes: made } = await bringUp({ ...able, count: 1 });
    const { HostConfig: host, Config, Image } = await inspect(made[0]?.handle ?? '');
    expect(Config.Env).toEqual(
      expect.arrayContaining([
        'CONCLAVE_CONTAINERS=/run/docker.sock',
        'CONCLAVE_CONTAINER_IMAGES=talk:1,talk:2',
        `CONCLAVE_CONTAINER_OWNER=${name}/node-1`,
        'CONCLAVE_INTERPRETERS=node=/usr/local/bin/node',
      ]),
    );
    expect(host.GroupAdd).toHaveLength(1);
    expect(host).toMatchObject({ CapDrop: ['ALL'], ReadonlyRootfs: true });
    const agentOf = (owner: string) =>
      fleet.engine.createContainer({ Image, Labels: { 'conclave.agent': 'a', 'conclave.owner': owner } });
    const [own, others] = [await agentOf(`${name}/node-1`), await agentOf(`${name}0/node-1`)];
    try {
      expect((await able.fleet.down()).join()).toContain(`container of an agent ${own.id.slice(0, 12)}`);
      await expect(own.inspect()).rejects.toMatchObject({ statusCode: 404 });
      expect((await others.inspect()).Id).toBe(others.id);
    } finally {
      await others.remove();
    }
  });

  it('starts a killed node again on its own disk', async () => {
    await fleet.kill('node-2');
    expect((await fleet.list())[1]).toMatchObject({ state: 'exited', exitCode: 137 });
    const again = await bringUp({ fleet, home, count: 3 });
    expect([again.created, again.revived]).toEqual([[], ['node-2']]);
    expect(again.nodes[1]?.handle).toBe(node('node-2').handle);
    expect(await fleet.logs('node-2')).toContain('"boot":2,"expect":"3"');
  });

  it('finishes a node that an up which was ended hard had only made', async () => {
    const name = `${unique}-c`;
    const half = await open(name, { portFirst: await freePortRange(2, isPortTaken) });
    await half.fleet.up(1);
    const { handle } = (await half.fleet.list())[0] as FleetNode;
    const { Config, HostConfig } = await fleet.engine.getContainer(handle).inspect();
    const mounted = HostConfig.Mounts ?? [];
    await fleet.engine.getContainer(handle).remove({ force: true });
    await fleet.engine.getVolume(mounted[0]?.Source ?? '').remove();
    await fleet.engine.createContainer({ ...Config, HostConfig, name: `conclave-${name}-node-1` });
    expect((await half.fleet.list())[0]).toMatchObject({ state: 'created', connected: false });
    expect((await bringUp({ ...half, count: 1 })).revived).toEqual(['node-1']);
    await half.fleet.down();
  });

  it('stops at once when it is interrupted, and goes on from there', async () => {
    const name = `${unique}-i`;
    const short = await open(name, { portFirst: await freePortRange(2, isPortTaken) });
    const abort = new AbortController();
    const onProgress = ({ text }: { text: string }): void => {
      if (text.startsWith('starting')) abort.abort();
    };
    await expect(bringUp({ ...short, count: 2, onProgress, signal: abort.signal })).rejects.toThrow(/abort/i);
    expect(await short.fleet.list()).toEqual([]);
    expect(await short.home.secrets()).toBeDefined();
    expect((await bringUp({ ...short, count: 2 })).created).toEqual(['node-1', 'node-2']);
    await short.fleet.down();
    expect(await leftovers(fleet.engine, name)).toEqual([]);
  });

  it('adds nodes that only join, and refuses to take nodes away', async () => {
    const { created } = await bringUp({ fleet, home, count: 4 });
    expect(created).toEqual(['node-4']);
    expect(await fleet.logs('node-4')).toContain('"boot":1,"expect":"0"');
    await expect(fleet.up(2)).rejects.toThrow(/has 4 nodes, and "up" does not make it smaller\. Nothing was changed/);
    expect(await fleet.list()).toHaveLength(4);
  });

  it('cuts a node off silently while its admin port stays in reach', async () => {
    const token = await signToken(home);
    const reachable = async (): Promise<number | undefined> =>
      (await askAny([node('node-2')], token))?.nodes.filter((each) => each.reachable).length;
    await fleet.disconnect('node-2');
    await until('node-2 is alone', async () => (await reachable()) === 1);
    await fleet.connect('node-2');
    await until('node-2 is back', async () => (await reachable()) === 4);
  });

  it('delivers SIGTERM to the program, and freezes it for as long as wanted', async () => {
    const startedMs = performance.now();
    await fleet.stop('node-3');
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    expect(await fleet.logs('node-3')).toContain('got SIGTERM');
    expect((await fleet.list())[2]).toMatchObject({ state: 'exited', exitCode: 0 });
    await fleet.start('node-3');
    await fleet.pause('node-3');
    expect((await fleet.list())[2]?.state).toBe('paused');
    await fleet.unpause('node-3');
    expect((await fleet.list())[2]?.state).toBe('running');
  });

  it('is not touched from another directory', async () => {
    const other = await open(unique, { home: join(standIn.directory, 'elsewhere') });
    await expect(other.fleet.down()).rejects.toThrow(/made with the state directory .* Nothing was changed/);
    await expect(other.fleet.up(5)).rejects.toThrow(/Nothing was changed/);
    expect(await fleet.list()).toHaveLength(4);
  });

  it('names a taken port and leaves nothing behind', async () => {
    const server = createServer();
    const port = await freePortRange(3, isPortTaken);
    await new Promise<void>((resolve) => server.listen(port + 1, '127.0.0.1', resolve));
    const name = `${unique}-p`;
    const taken = await open(name, { portFirst: port });
    const failed = bringUp({ ...taken, count: 3 });
    await expect(failed).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining(`Port ${port + 1}`) });
    expect(await leftovers(fleet.engine, name)).toEqual([]);
    await expect(stat(taken.home.directory)).rejects.toThrow('ENOENT');
    server.close();
  });

  it('removes everything that it made when the engine refuses a later node', async () => {
    const name = `${unique}-q`;
    const blocker = await fleet.engine.createContainer({
      name: `conclave-${name}-node-2`,
      Image: (await fleet.engine.getContainer(node('node-1').handle).inspect()).Image,
    });
    try {
      const refused = await open(name, { portFirst: await freePortRange(3, isPortTaken) });
      await expect(bringUp({ ...refused, count: 3 })).rejects.toThrow(/is already in use.*not of this cluster/s);
      expect(await leftovers(fleet.engine, name)).toEqual([]);
      expect(await refused.home.secrets()).toBeUndefined();
    } finally {
      await blocker.remove();
    }
  });

  it('removes everything when it is taken down', async () => {
    const name = `${unique}-d`;
    const short = await open(name, { portFirst: await freePortRange(1, isPortTaken) });
    await bringUp({ ...short, count: 1 });
    expect(await leftovers(fleet.engine, name)).toHaveLength(4);
    expect(await short.fleet.down()).toHaveLength(4);
    expect(await leftovers(fleet.engine, name)).toEqual([]);
    await expect(stat(short.home.directory)).rejects.toThrow('ENOENT');
    expect(await fleet.list()).toHaveLength(4);
  });
});
