import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ReportJson } from '../../node/cli/events.ts';
import { runCommandLine } from '../../node/cli/program.ts';
import type { AgentJson, StatusJson } from '../../node/cli/status.ts';
import { Printed } from '../cli/run.ts';
import { Testbed } from './testbed.ts';

async function conclave(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const console = { out: new Printed(), err: new Printed() };
  const code = await runCommandLine(argv, console);
  return { code, out: console.out.text, err: console.err.text };
}

const tick = (price: number): object => ({ symbol: 'MSFT', price });

/** The story of an agent on five nodes, three of which are lost with everything on them. */
class Story {
  readonly testbed: Testbed;
  survivors: string[] = [];
  lost: string[] = [];

  constructor(testbed: Testbed) {
    this.testbed = testbed;
  }

  directoryOf(name: string): string {
    return join(this.testbed.home.directory, 'nodes', name, 'data');
  }

  adminOf(name: string): string {
    return this.testbed.nodes.find((node) => node.name === name)?.admin ?? '';
  }

  /** Gives the agent a task through a survivor until it is answered. */
  async task(id: string, price: number, agent = 'ledger'): Promise<unknown> {
    let result: unknown;
    const admin = this.adminOf(this.survivors[0] ?? '');
    await this.testbed.until(`task ${id} is answered`, async () => {
      const body = { id, payload: tick(price), ttl_ms: 3_000 };
      const answer = await this.testbed.call(admin, `/agents/${agent}/tasks`, body).catch(() => undefined);
      if (answer?.status !== 200) return false;
      ({ result } = answer.body as { result: unknown });
      return true;
    });
    return result;
  }

  async events(name: string): Promise<ReportJson[]> {
    return (await this.testbed.call(this.adminOf(name), '/events?follow=false')).body as ReportJson[];
  }

  async stateOf(): Promise<unknown> {
    const { body } = await this.testbed.call(this.adminOf(this.survivors[0] ?? ''), '/agents/ledger/state');
    return (body as { state: unknown }).state;
  }

  async #deploy(name: string): Promise<string[]> {
    const asked = { agent_type: 'trading', name };
    const { body } = await this.testbed.call(this.testbed.nodes[0]?.admin ?? '', '/agents/deploy', asked);
    return (body as { agent: AgentJson }).agent.holders;
  }

  /** Of the holders of the agent `ledger` two are to survive, of those of `other` one. */
  async begin(): Promise<StatusJson> {
    const { testbed } = this;
    await testbed.up(5);
    const holders = await this.#deploy('ledger');
    const others = await this.#deploy('other');
    const status = await testbed.status();
    const common = holders.filter((holder) => others.includes(holder));
    const kept = [...common.slice(0, 1), ...holders.filter((holder) => !others.includes(holder)).slice(0, 1)];
    if (kept.length !== 2) throw new Error(`the holders ${holders.join()} and ${others.join()} do not suit the story`);
    const nameOf = (id: string | null): string => status.nodes.find((node) => node.id === id)?.name ?? '';
    this.survivors = kept.map(nameOf);
    this.lost = status.nodes.map(({ name }) => name).filter((name) => !this.survivors.includes(name));
    return status;
  }

  /** Waits until these and no others are living members, under one leader. */
  async untilMembers(names: readonly string[]): Promise<StatusJson> {
    const wanted = [...names].sort().join();
    const alive = (status: StatusJson) =>
      status.nodes.filter(({ membership, reachable }) => membership === 'alive' && reachable);
    let status = await this.testbed.status();
    await this.testbed.until(`the members are ${wanted}`, async () => {
      status = await this.testbed.status();
      return (
        alive(status)
          .map(({ name }) => name)
          .sort()
          .join() === wanted
      );
    });
    return status;
  }
}

test('two of five start again as a new cluster, with their agents and their states', { timeout: 120_000 }, async () => {
  await Testbed.with('processes', async (testbed) => {
    const story = new Story(testbed);
    const { cluster: old } = await story.begin();
    const { survivors, lost } = story;
    const answers = [await story.task('t1', 39.81), await story.task('t2', 40.5)];
    await story.task('o1', 12, 'other');
    const state = await story.stateOf();

    for (const name of lost) await testbed.fleet.kill(name);
    const directories = survivors.map((name) => story.directoryOf(name));
    const busy = await conclave('recover', '--force-new-cluster', directories[0] ?? '', '--confirm', old);
    expect(busy).toMatchObject({ code: 1, err: expect.stringMatching(/in use.*Nothing was changed/) });
    for (const name of survivors) await testbed.fleet.kill(name);

    const inspected = await conclave('recover', '--inspect', ...directories, '--json');
    const { best, command } = JSON.parse(inspected.out) as { best: string; command: string[] };
    expect(directories, inspected.out).toContain(best);
    const [first] = survivors.filter((name) => story.directoryOf(name) === best);
    const recovered = await conclave(...command, '--accept-older-state');
    expect(recovered).toMatchObject({ code: 0, err: '', out: expect.stringContaining(`Next: start ${first}`) });

    for (const name of survivors) await testbed.fleet.start(name);
    const status = await story.untilMembers(survivors);
    expect(status.cluster).not.toBe(old);
    expect(await story.task('t1', 39.81)).toEqual(answers[0]);
    expect(await story.stateOf()).toEqual(state);
    await story.task('t3', 41);
    await story.task('o2', 13, 'other');
    for (const name of survivors) {
      const told = (await story.events(name)).filter(({ kind }) => kind === 'clusterRecovered');
      const details = { from: old, cluster: status.cluster, older_state: ['other'] };
      expect(told).toEqual([expect.objectContaining({ details: expect.objectContaining(details) })]);
    }

    const [returning = ''] = lost;
    await testbed.fleet.start(returning);
    await testbed.until('the node of the old cluster is turned away', async () => {
      const told = await Promise.all(survivors.map((name) => story.events(name)));
      return told.flat().some(({ kind, details }) => kind === 'strangerIgnored' && details['cluster'] === old);
    });
    await story.task('t4', 42);
    expect((await story.untilMembers(survivors)).cluster).toBe(status.cluster);

    await testbed.fleet.kill(returning);
    await rm(story.directoryOf(returning), { recursive: true });
    await testbed.fleet.start(returning);
    await story.untilMembers([...survivors, returning]);
  });
});
