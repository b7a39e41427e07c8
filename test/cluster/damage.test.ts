import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { StatusJson } from '../../node/cli/status.ts';
import { Testbed } from './testbed.ts';

interface EventJson {
  kind: string;
  text: string;
}

/** Flips one bit in the middle of the store's log. */
async function damage(store: string): Promise<void> {
  const logs = (await readdir(store)).filter((file) => file.endsWith('.log')).sort();
  const log = join(store, logs.at(-1) ?? '');
  const bytes = await readFile(log);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
  await writeFile(log, bytes);
}

test('a node whose store was damaged while it was down comes back as another voter', { timeout: 90_000 }, async () => {
  await Testbed.with('processes', async (testbed) => {
    const { nodes, leader } = await testbed.up(3);
    const { name = '', id } = nodes.find((node) => node.id === leader?.id) ?? {};
    const { admin = '' } = testbed.nodes.find((node) => node.name === name) ?? {};
    await testbed.call(admin, '/agents/deploy', { agent_type: 'trading', name: 'one' }, 30_000);
    await testbed.fleet.kill(name);
    const stores = (await readdir(testbed.home.directory, { recursive: true })).filter((path) =>
      path.endsWith('/store'),
    );
    const store = join(testbed.home.directory, stores.find((path) => path.includes(`/${name}/`)) ?? '');
    await damage(store);
    await testbed.fleet.start(name);
    let status: StatusJson | undefined;
    await testbed.until('it is a voter under a new id, and the old one no longer', async () => {
      status = await testbed.status();
      if (status.nodes.find((node) => node.id === id)?.voter !== false) return false;
      const [now, ...others] = status.nodes.filter((node) => node.name === name && node.membership === 'alive');
      return now?.id !== id && now?.voter === true && others.length === 0;
    });
    expect(status?.nodes.find((node) => node.id === id)).toMatchObject({ membership: 'dead' });
    await testbed.until('it is ready and has read the log', async () => {
      const { ok } = await fetch(`${admin}/health/ready`);
      const { body } = await testbed.call(admin, '/status');
      return ok && (body as StatusJson).agents.some((agent) => agent.id === 'one' && agent.status === 'active');
    });
    const directory = join(store, '..');
    await testbed.until(
      'it has forgotten that it was away',
      async () => !(await readdir(directory)).includes('rejoining'),
    );
    const [aside = ''] = (await readdir(directory)).filter((file) => file.startsWith('store.damaged-'));
    expect(await readdir(join(directory, aside))).toContain('identity.key');
    const events = (await testbed.call(admin, '/events?follow=false')).body as EventJson[];
    expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['storeDamaged', 'rejoined']));
    expect(await testbed.fleet.logs(name, 200)).toMatch(/"level":50,.*"kind":"storeDamaged".*was damaged/);
  });
});
