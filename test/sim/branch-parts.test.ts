import { describe, expect, test, vi } from 'vitest';
import type { AgentView, Outcome, Results, StatusView } from '../../node/core/operation.ts';
import { limits } from '../../node/core/settings.ts';
import { readTally, type TallyTask } from '../../sim/tally.ts';
import { Cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** An agent on a side without a majority, where its branch has acknowledged a task. */
class Parts {
  readonly agent = 'tally-1';
  readonly receiver = 'tally-2';
  readonly cluster = new Cluster(
    'parts of a branch',
    { nodes: 9, tallies: { merging: 2, plain: 0, clients: 0, holders: 5, thinkMsMax: 1_000 } },
    { agents: 1, clients: 0 },
  ).begin();
  readonly majority: readonly string[];
  readonly side: readonly string[];
  readonly keepers: readonly string[];

  constructor() {
    const { cluster } = this;
    const { world } = cluster;
    const { holders } = this.view(world.nodes[0] ?? '');
    const kept = holders.filter((node) => node !== cluster.leader).slice(0, 2);
    const { nodes } = this.#ok<StatusView>(cluster.ask(cluster.leader, { type: 'status' }));
    // With two voters at most it is no majority.
    const rest = nodes.flatMap(({ id, voter }) => (voter || kept.includes(id) ? [] : [id]));
    this.side = [...kept, ...rest.slice(0, 2)];
    this.majority = world.nodes.filter((node) => !this.side.includes(node));
    this.partition(this.side);
    world.runFor(6_000);
    this.provisional(this.side[0] ?? '', 'together');
    world.runFor(2_000);
    this.keepers = this.side.filter((node) => world.host(node).disk.keys(`branch/${this.agent}~`).length > 0);
    if (this.keepers.length < 2) throw world.failure('one node alone keeps the branch');
  }

  partition(...groups: (readonly string[])[]): void {
    this.cluster.world.heal();
    this.cluster.world.partition([...groups, this.majority].map((group) => [...group]));
  }

  /** The side splits once more, and both parts acknowledge what the other knows nothing of. */
  split(first = 1): [readonly string[], readonly string[]] {
    const others = this.side.filter((node) => !this.keepers.includes(node));
    const parts: [string[], string[]] = [this.keepers.slice(0, first), [...this.keepers.slice(first), ...others]];
    this.partition(...parts);
    this.cluster.world.runFor(10_000);
    // The majority does something as well: neither part can take the place of the history.
    this.give(this.majority[0] ?? '', 'ours');
    for (const [i, [node = '']] of parts.entries()) {
      const sent = { to: this.receiver, id: `sent-${i}` };
      this.provisional(node, `apart-${i}`, sent);
    }
    return parts;
  }

  #ok<T>(outcome: Outcome): T {
    if (!outcome.ok) throw this.cluster.world.failure(outcome.error.message);
    return outcome.result as T;
  }

  view(node: string): AgentView {
    return this.#ok(this.cluster.ask(node, { type: 'agent', agent: this.agent, consistency: 'stale' }));
  }

  counts(node: string, of: string): Record<string, number> {
    const asked = this.cluster.ask(node, { type: 'state', agent: of, ttlMs: 10_000 });
    return readTally(this.#ok<Results['state']>(asked).state).counts;
  }

  give(node: string, id: string, send?: TallyTask['send']): Results['task'] {
    const payload = bytes({ id, send });
    return this.#ok(this.cluster.ask(node, { type: 'task', agent: this.agent, task: id, payload, ttlMs: 20_000 }));
  }

  /** The same on a side without a majority. */
  provisional(node: string, id: string, send?: TallyTask['send']): void {
    if (this.give(node, id, send).provisional !== true) throw this.cluster.world.failure(`${id} is none of a branch`);
  }

  /** How each part ended, once so many have. */
  ends(count: number): (string | undefined)[] {
    const { world } = this.cluster;
    const branches = () => this.view(this.majority[0] ?? '').branches ?? [];
    const isOver = () => branches().length >= count && branches().every(({ end }) => end !== undefined);
    for (let tries = 0; tries < 200 && !isOver(); tries++) world.runFor(200);
    if (new Set(branches().map(({ id }) => id)).size > 1) throw world.failure('these are not parts of one branch');
    world.runFor(5_000);
    return branches().map(({ end }) => end?.outcome);
  }

  /** So much is done that nothing is remembered of the tasks before. */
  forget(): void {
    const { world } = this.cluster;
    const [node = ''] = this.majority;
    for (let done = 0; done <= limits.resultsMax; done += 64) {
      const asked = Array.from({ length: 64 }, (_, i) => {
        const payload = bytes({ id: `since-${done + i}` });
        return world.request(node, {
          type: 'task',
          agent: this.agent,
          task: `since-${done + i}`,
          payload,
          ttlMs: 9_000,
        });
      });
      world.runUntil(() => asked.every(({ state }) => state !== 'waiting'), 30_000, 'the answers');
    }
  }
}

const all = { together: 1, ours: 1, 'apart-0': 1, 'apart-1': 1 };

test('what two parts of a branch sent in the same step arrives from both, when its side had split once more', () => {
  const parts = new Parts();
  parts.split();
  parts.cluster.world.heal();
  expect(parts.ends(2)).toEqual(['merged', 'merged']);
  const [first = ''] = parts.majority;
  expect(parts.counts(first, parts.agent)).toEqual(all);
  expect(parts.counts(first, parts.receiver)).toEqual({ 'sent-0': 1, 'sent-1': 1 });
});

test('nothing of either part is lost when some of both meet on a side without a majority', () => {
  const parts = new Parts();
  const { side, keepers, cluster } = parts;
  const { world } = cluster;
  expect(keepers).toEqual(side);
  const [[one = '', ...others], [other = '', ...rest]] = parts.split(2);
  // Whichever goes on, some of its keepers are silent: it wants others.
  parts.partition([one, other], others, rest);
  world.runFor(10_000);
  for (const node of [one, other]) parts.provisional(node, `met-${node}`);
  const running = [one, other].flatMap((node) => world.host(node).runner?.instances() ?? []);
  expect(running.filter(({ agent }) => agent.startsWith(`${parts.agent}~`))).toHaveLength(1);
  world.heal();
  parts.ends(2);
  expect(parts.counts(parts.majority[0] ?? '', parts.agent)).toEqual({
    ...{ ...all, [`met-${one}`]: 1, [`met-${other}`]: 1 },
  });
});

describe('a part that is found when nothing is remembered of another one that was taken in', () => {
  const counted = (parts: Parts): Record<string, number> => {
    const counts = Object.entries(parts.counts(parts.majority[0] ?? '', parts.agent));
    return Object.fromEntries(counts.filter(([task]) => !task.startsWith('since-')));
  };

  test('is contained where the branch went on from it', () => {
    const parts = new Parts();
    const { world } = parts.cluster;
    const [stays = '', gone = ''] = parts.keepers;
    world.crash(gone);
    world.runFor(10_000);
    parts.give(stays, 'apart-0');
    parts.give(parts.majority[0] ?? '', 'ours');
    world.heal();
    expect(parts.ends(1)).toEqual(['merged']);
    parts.forget();
    world.restart(gone);
    expect(parts.ends(2)).toEqual(['merged', 'contained']);
    expect(counted(parts)).toEqual({ together: 1, ours: 1, 'apart-0': 1 });
  });

  test('is kept as a fork where it went its own way: what both have in common is not counted twice', () => {
    const parts = new Parts();
    const { world } = parts.cluster;
    const [one, other] = parts.split();
    world.heal();
    world.partition([[...other], [...one, ...parts.majority]]);
    expect(parts.ends(1)).toEqual(['merged']);
    parts.forget();
    world.heal();
    expect(parts.ends(2)).toEqual(['merged', 'forked']);
    expect(counted(parts)).toEqual({ together: 1, ours: 1, 'apart-0': 1 });
  });
});
