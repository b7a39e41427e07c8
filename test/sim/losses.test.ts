import { describe, expect, test } from 'vitest';
import type { Ledger, LedgerAgent } from '../../sim/ledger.ts';
import { Losses } from '../../sim/losses.ts';
import { activated, created, ledgerOf, placed, putVoters, votersAre } from './checkers/planted.ts';
import { scriptedWorld } from './scripted-node.ts';

/** Five machines, three of them voters. */
function scene(ledger: Ledger = ledgerOf(votersAre(1, 'n1', 'n2', 'n3'))) {
  const { world } = scriptedWorld(() => [], { nodes: 5 });
  world.run(10);
  const losses = new Losses(world, ledger);
  return { world, ledger, losses, may: () => world.nodes.filter((node) => losses.mayLose(node)) };
}

describe('disks that may be lost', () => {
  test('are none before there is a cluster', () => {
    expect(scene(ledgerOf()).may()).toEqual([]);
  });

  test('are those beyond a majority of the voters', () => {
    const { world, may } = scene();
    expect(may()).toEqual(['n1', 'n2', 'n3', 'n4', 'n5']);
    world.replace('n2');
    expect(may()).toEqual(['n4', 'n5', 'n6']);
  });

  test('are fewer while one is damaged, which nobody may lose a second time', () => {
    const { losses, may } = scene();
    losses.damage('n3');
    expect(losses.isLost('n3')).toBe(true);
    expect(may()).toEqual(['n4', 'n5']);
  });

  test('are no more than every configuration allows that may be in force', () => {
    const { ledger, may } = scene();
    ledger.durable('n1', [putVoters(2, 1, ['n1', 'n2'])]);
    expect(may()).toEqual(['n3', 'n4', 'n5']);
  });

  test('are no more than the holders allow, of an agent as it was active and as it is placed', () => {
    const placements = [placed(3, 'a', 'n4', 3, ['n4']), activated(4, 'a', 3), placed(5, 'a', 'n5', 5, ['n5'])];
    const { may } = scene(ledgerOf(votersAre(1, 'n1', 'n2', 'n3'), created(2, 'a'), ...placements));
    expect(may()).toEqual(['n1', 'n2', 'n3']);
  });
});

describe('what nodes alone can do', () => {
  const agent = (...holders: string[]): LedgerAgent => {
    const placement = { epoch: 1, host: 'n1', holders };
    return { type: 'counter', placement, active: placement };
  };

  test('they are a quorum when they are a majority of the voters, without those that are lost', () => {
    const { losses } = scene();
    expect(losses.isQuorum(new Set(['n1', 'n3']))).toBe(true);
    expect(losses.isQuorum(new Set(['n1', 'n4', 'n5']))).toBe(false);
    losses.damage('n3');
    expect(losses.isQuorum(new Set(['n1', 'n3']))).toBe(false);
  });

  test('they are none when a later configuration, which may be in force, wants others', () => {
    const { losses, ledger } = scene();
    ledger.durable('n1', [putVoters(2, 1, ['n1', 'n4', 'n5'])]);
    expect(losses.isQuorum(new Set(['n1', 'n3']))).toBe(false);
    expect(losses.isQuorum(new Set(['n1', 'n3', 'n5']))).toBe(true);
  });

  test('they reach an agent when a majority of its last active holders is among them', () => {
    const { losses, world } = scene();
    const nodes = new Set(['n1', 'n2']);
    expect(losses.isReachable(agent('n1', 'n2', 'n5'), nodes)).toBe(true);
    expect(losses.isReachable(agent('n1', 'n4'), nodes)).toBe(false);
    world.replace('n1');
    expect(losses.isReachable(agent('n1', 'n2', 'n5'), nodes)).toBe(false);
  });

  test('an agent that was never active has nothing to lose', () => {
    const { losses } = scene();
    expect(losses.isReachable({ type: 'counter', placement: undefined, active: undefined }, new Set())).toBe(true);
  });
});
