import { expect, test, vi } from 'vitest';
import type { NodeView, StatusView } from '../../node/core/operation.ts';
import { awaitSettled } from '../../sim/checkers/eventually-settled.ts';
import { World } from '../../sim/world.ts';
import { settleWithinMs } from './cluster.ts';

vi.setConfig({ testTimeout: 120_000 });

function statusAt(world: World, node: string): StatusView {
  const asked = world.request(node, { type: 'status' });
  world.runUntil(() => asked.state !== 'waiting', 20_000, 'a status');
  return (asked.outcome as unknown as { result: StatusView }).result;
}

/** Voters by site, as the node sees them. */
function votersBySite(world: World, node: string): Record<string, number> {
  const held: Record<string, number> = {};
  for (const { site, voter } of statusAt(world, node).nodes) if (voter) held[site] = (held[site] ?? 0) + 1;
  return held;
}

function until(world: World, what: string, isTrue: () => boolean, withinMs: number): void {
  const endMs = world.nowMs + withinMs;
  while (!isTrue()) {
    if (world.nowMs > endMs) throw world.failure(`not within ${withinMs} ms: ${what}`);
    world.runFor(200);
  }
}

const even = (held: Record<string, number>): string => Object.values(held).sort().join(' ');

test('the founders of three sites vote from the beginning, spread over them', () => {
  for (const seed of ['a', 'b', 'c']) {
    const world = new World({ seed: `three sites ${seed}`, nodes: 9, profile: (i) => ({ site: `s${i % 3}` }) });
    awaitSettled(world, [], settleWithinMs);
    expect(even(votersBySite(world, 'n9'))).toBe('1 2 2');
    for (const { voter, voterReason } of statusAt(world, 'n4').nodes.filter((node) => node.voter))
      expect([voter, voterReason]).toEqual([true, 'founder']);
  }
});

test('voters of one site give way, one by one, to those of sites that come later, and a dead one is replaced', () => {
  const siteOf = (index: number): string => ['a', 'a', 'a', 'a', 'a', 'b', 'b', 'c', 'c'][index] ?? 'a';
  const world = new World({ seed: 'later sites', nodes: 5, expect: 5, profile: (i) => ({ site: siteOf(i) }) });
  awaitSettled(world, [], settleWithinMs);
  expect(votersBySite(world, 'n1')).toEqual({ a: 5 });
  for (let i = 0; i < 4; i++) world.addNode();
  const counts = new Set<number>();
  const leaderView = (): StatusView => {
    const { leader } = statusAt(world, 'n1');
    return statusAt(world, leader?.id ?? 'n1');
  };
  until(
    world,
    'voters spread over three sites',
    () => {
      const held = votersBySite(world, 'n1');
      counts.add(Object.values(held).reduce((sum, count) => sum + count, 0));
      return even(held) === '1 2 2';
    },
    180_000,
  );
  expect([...counts].every((count) => count === 5 || count === 6)).toBe(true);

  const before = leaderView();
  const lost = before.nodes.find(({ voter, leader }) => voter && !leader) as NodeView;
  world.crash(lost.id);
  until(world, 'another in its place', () => !votersBy(leaderView()).includes(lost.id), 20_000);
  const after = leaderView();
  expect(votersBy(after)).toHaveLength(5);
  const heir = after.nodes.find(({ id, voter }) => voter && !votersBy(before).includes(id)) as NodeView;
  expect(heir.voterReason).toMatch(new RegExp(`^made a voter at index \\d+ because voter ${lost.name} died$`));
  expect(after.nodes.find(({ id }) => id === lost.id)?.voterReason).toBe('it is dead');
  for (const { id } of after.nodes.filter(({ membership }) => membership === 'alive')) {
    const seen = statusAt(world, id).nodes.find((node) => node.id === heir.id);
    expect([id, seen?.voterReason]).toEqual([id, heir.voterReason]);
  }
});

test('voters whose disks hang are replaced, one by one, though others reach them', () => {
  const world = new World({ seed: 'hung disks', nodes: 7, expect: 7 });
  awaitSettled(world, [], settleWithinMs);
  const { leader, nodes } = statusAt(world, 'n1');
  const leads = leader?.id ?? '';
  const hung = nodes.filter(({ id, voter }) => voter && id !== leads).slice(0, 2);
  for (const { id } of hung) world.host(id).disk.slowness = 1e9;
  // Who has nothing to write answers, whatever its disk does.
  world.request(leads, { type: 'kvPut', key: 'k', value: new Uint8Array(1) });
  const voters = (): string[] => votersBy(statusAt(world, leads));
  until(world, 'others in their place', () => hung.every(({ id }) => !voters().includes(id)), 60_000);
  expect(voters()).toHaveLength(5);
  const heirs = statusAt(world, leads).nodes.filter(
    ({ voter, voterReason }) => voter && voterReason?.includes('does not answer'),
  );
  expect(heirs).toHaveLength(2);
});

const votersBy = (view: StatusView): string[] => view.nodes.filter(({ voter }) => voter).map(({ id }) => id);
