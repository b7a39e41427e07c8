import { describe, expect, test } from 'vitest';
import type { AgentRecord, ClusterState } from '../../node/core/cluster-state.ts';
import type { Context } from '../../node/core/context.ts';
import { HolderBoard } from '../../node/core/holder-board.ts';
import type { HolderStep } from '../../node/core/message.ts';

const epoch = 7;
const sequence = 20;

/** What the board says of an agent whose host reported that; `away` cannot be reached. */
function failures(holders: Partial<HolderStep>[], away: string[] = [], from = 'n1') {
  const nodes = holders.map((_, i) => `n${i + 1}`);
  const placement = { epoch, host: 'n1', boot: 1, holders: nodes };
  const agent = { id: 'a', placement, active: placement } as unknown as AgentRecord;
  const context = { nowMs: 1_000 } as Context;
  const state = { agents: new Map([['a', agent]]), members: new Map() } as unknown as ClusterState;
  const board = new HolderBoard(context, state, {
    isReachable: (node) => !away.includes(node),
    isOut: (node) => away.includes(node),
  });
  const step = { known: true, epoch, sequence, ageMs: 5, keepsPace: true };
  const told = holders.map((holder, i) => ({ node: nodes[i] as string, ...step, ...holder }));
  board.onReport(from, { agents: [{ agent: 'a', epoch, sequence, sealing: false, holders: told }] });
  context.nowMs = 1_400;
  return board.failures(agent);
}

const late = { sequence: 3, keepsPace: false };

describe('how many failures an agent can take', () => {
  test.each<[string, Partial<HolderStep>[], string[], number, number, string]>([
    ['all of three', [{}, {}, {}], [], 1, 1, 'all 3 holders have everything: can take 1 failure now'],
    ['one is behind', [{}, {}, late], [], 1, 0, '1 of 3 holders is catching up: can take 0 failures now'],
    [
      'one is a step behind',
      [{}, {}, { sequence: 19 }],
      [],
      1,
      1,
      'all 3 holders have everything: can take 1 failure now',
    ],
    ['one is away', [{}, {}, {}], ['n3'], 0, 0, '1 of 3 holders is out of reach: can take 0 failures now'],
    ['all of five', [{}, {}, {}, {}, {}], [], 2, 2, 'all 5 holders have everything: can take 2 failures now'],
    [
      'five, three behind',
      [{}, {}, {}, late, late],
      [],
      2,
      0,
      '2 of 5 holders are catching up: can take 0 failures now',
    ],
    [
      'five, one with it all',
      [{}, late, late, late, late],
      [],
      0,
      0,
      '4 of 5 holders are catching up: can take 0 failures now',
    ],
    ['only one', [{}], [], 0, 0, 'its only holder has everything: can take 0 failures now'],
    ['both of two', [{}, {}], [], 0, 0, 'all 2 holders have everything: can take 0 failures now'],
    ['two of three away', [{}, {}, {}], ['n2', 'n3'], 0, 0, '2 of 3 holders are out of reach: can take 0 failures now'],
  ])('%s', (_name, holders, away, disks, unreachable, text) => {
    expect(failures(holders, away)).toMatchObject({ disks, unreachable, text, ageMs: 400 });
  });

  test('is not known from who is not its host', () => {
    expect(failures([{}, {}, {}], [], 'n2')).toBeUndefined();
  });
});
