import { describe, expect, test } from 'vitest';
import type { AgentRecord } from '../../node/core/cluster-state.ts';
import type { Context } from '../../node/core/context.ts';
import { FormerHoldings, mayLetGo } from '../../node/core/former-holdings.ts';
import type { Holder } from '../../node/core/holder.ts';

const placed = (epoch: number, holders: string[], host = 'n1') => ({ epoch, host, boot: 1, holders });
const record = (parts: object): AgentRecord =>
  ({
    id: 'a',
    placement: placed(9, ['n1', 'n2']),
    active: placed(9, ['n1', 'n2']),
    ...parts,
  }) as unknown as AgentRecord;
const loss = { index: 6, from: 'n1', epoch: 4, sequence: 20, missing: ['n3'], lost: 1 };
const kept = { epoch: 4, sequence: 20 };

describe('a node lets go of a state', () => {
  test.each<[string, boolean, object, { epoch: number; sequence: number }]>([
    ['when a later epoch answers of which it is no holder', true, {}, kept],
    ['when it was prepared for a move that did not come about', true, {}, { epoch: 9, sequence: 3 }],
    ['and not while it is a holder', false, { active: placed(9, ['n1', 'n3']) }, kept],
    ['and not while another epoch is under way', false, { placement: placed(12, ['n1', 'n2']) }, kept],
    ['and not before it is placed again', false, { placement: undefined }, kept],
    ['and not while it is prepared for a move', false, { migration: { target: 'n3' } }, kept],
    ['and not what is of a later epoch than it knows of', false, {}, { epoch: 11, sequence: 1 }],
    ['and not before an agent that an operator let go on answers again', false, { loss: { ...loss, index: 10 } }, kept],
    ['when it was no more than what an operator went on from', true, { loss }, kept],
    ['and not what an operator gave up', false, { loss }, { epoch: 4, sequence: 21 }],
    ['when it came to it after an operator went on', true, { loss }, { epoch: 7, sequence: 21 }],
  ])('%s', (_what, expected, parts, step) => {
    expect(mayLetGo(record(parts), step, 'n3')).toBe(expected);
  });
});

describe('a node', () => {
  /** At a log that ends somewhere, of which it has applied some; it keeps that step. */
  function begin(index: number, lastIndex: number) {
    const log = { index, lastIndex };
    const context = { self: 'n3', nowMs: 0 } as Context;
    const gone: string[] = [];
    const step = { ...kept, sealedEpoch: 4 };
    const holder = { agents: () => ['a'], stepOf: () => step, letGo: (agent: string) => void gone.push(agent) };
    const state = { agents: new Map([['a', record({})]]), index };
    const asState = state as unknown as ConstructorParameters<typeof FormerHoldings>[1];
    const former = new FormerHoldings(context, asState, holder as unknown as Holder, () => log.lastIndex);
    const look = (now: Partial<typeof log>): string[] => {
      Object.assign(log, now);
      state.index = log.index;
      context.nowMs += 1_000;
      former.tick();
      return gone;
    };
    return { look, step };
  }

  test('lets go of nothing after a start before its state shows all that its own log has', () => {
    const { look } = begin(3, 8);
    expect(look({})).toEqual([]);
    expect(look({ index: 7 })).toEqual([]);
    expect(look({ index: 8 })).toEqual(['a']);
  });

  test('lets go though more comes into its log all the time', () => {
    const { look } = begin(3, 8);
    expect(look({ index: 6, lastIndex: 10 })).toEqual([]);
    expect(look({ index: 11, lastIndex: 15 })).toEqual(['a']);
  });

  test('that took in another step waits for what its log has by then', () => {
    const { look, step } = begin(3, 8);
    expect(look({})).toEqual([]);
    step.sequence += 1;
    expect(look({ index: 9, lastIndex: 12 })).toEqual([]);
    step.sealedEpoch = 6;
    expect(look({ index: 13, lastIndex: 14 })).toEqual([]);
    expect(look({ index: 14, lastIndex: 20 })).toEqual(['a']);
  });
});
