import { describe, expect, test } from 'vitest';
import { Ledger } from '../../sim/ledger.ts';
import {
  activated,
  created,
  joined,
  ledgerOf,
  placed,
  putEntry,
  putVoters,
  report,
  votersAre,
} from './checkers/planted.ts';

const none = (): undefined => undefined;

describe('the ledger of what the log decided', () => {
  test('knows members, agents, every placement ever made, and which was active last', () => {
    const ledger = ledgerOf(
      joined(1, 'n1'),
      joined(2, 'n2'),
      created(3, 'a', 'b'),
      placed(4, 'a', 'n1', 4, ['n1', 'n2']),
      activated(5, 'a', 4),
      report(6, 'memberDead', { node: 'n1', boot: 1 }),
      placed(7, 'a', 'n2', 7, ['n2']),
      report(8, 'memberLeft', { node: 'n2', boot: 1 }),
      report(9, 'agentDeleted', { agent: 'b' }),
      report(10, 'somethingElse'),
    );
    expect([...ledger.members]).toEqual([
      ['n1', { boot: 1, membership: 'dead', draining: false }],
      ['n2', { boot: 1, membership: 'left', draining: false }],
    ]);
    const old = { epoch: 4, host: 'n1', holders: ['n1', 'n2'], version: 1 };
    const now = { epoch: 7, host: 'n2', holders: ['n2'], version: 1 };
    expect([...ledger.agents]).toEqual([
      ['a', { type: 'counter', version: 1, before: old, placement: now, active: old, waits: undefined }],
    ]);
    expect(ledger.placement('a', 4)).toEqual(old);
    expect(ledger.placement('a', 5)).toBeUndefined();
    expect(ledger.index).toBe(10);
  });

  test('takes each decision from the first node to apply it, with all that one entry led to', () => {
    const ledger = ledgerOf(created(1, 'a', 'b'), placed(2, 'a', 'n1', 2, ['n1']), placed(2, 'b', 'n1', 2, ['n1']));
    for (const one of [placed(2, 'a', 'n9', 2, ['n9']), report(1, 'agentDeleted', { agent: 'b' })]) {
      ledger.reported('n2', one);
    }
    ledger.reported('n2', report(0, 'agentDeleted', { agent: 'a' }));
    expect([...ledger.agents.values()].map(({ placement }) => placement?.host)).toEqual(['n1', 'n1']);
    ledger.reported('n2', placed(3, 'a', 'n2', 3, ['n2']));
    expect([...ledger.agents.values()].map(({ placement }) => placement?.host)).toEqual(['n2', 'n1']);
  });

  test('is not confused by a node that applies the log from its beginning, after a restart', () => {
    const log = [created(1, 'a'), placed(2, 'a', 'n1', 2, ['n1']), placed(3, 'a', 'n2', 3, ['n2'])];
    const ledger = ledgerOf(...log, ...log);
    expect(ledger.index).toBe(3);
    expect(ledger.agents.get('a')?.placement?.host).toBe('n2');
  });

  test('counts an agent that was made anew as new', () => {
    const ledger = ledgerOf(created(1, 'a'), placed(2, 'a', 'n1', 2, ['n1']), activated(3, 'a', 2));
    ledger.reported('n1', report(4, 'agentDeleted', { agent: 'a' }));
    ledger.reported('n1', created(5, 'a'));
    expect(ledger.agents.get('a')).toEqual({
      ...{ type: 'counter', version: 1 },
      ...{ before: undefined, placement: undefined, active: undefined },
    });
  });
});

describe('the voters that the ledger knows', () => {
  test('are none before there is a cluster', () => {
    const ledger = new Ledger();
    expect(ledger.voters).toEqual([]);
    expect(ledger.configurations).toEqual([[]]);
  });

  test('are those of the last committed configuration, and of each on any disk that is behind it', () => {
    const ledger = ledgerOf(votersAre(5, 'n1', 'n2', 'n3'));
    ledger.durable('n1', [putVoters(4, 1, ['n1']), putEntry(6, 1), putVoters(7, 1, ['n1', 'n2', 'n3', 'n4'])]);
    ledger.durable('n2', [putVoters(7, 2, ['n2', 'n3'])]);
    expect(ledger.voters).toEqual(['n1', 'n2', 'n3']);
    expect(ledger.configurations).toEqual([
      ['n1', 'n2', 'n3'],
      ['n1', 'n2', 'n3', 'n4'],
      ['n2', 'n3'],
    ]);
    ledger.reported('n1', votersAre(7, 'n2', 'n3'));
    expect(ledger.configurations).toEqual([['n2', 'n3']]);
  });

  test('are not read from records that are gone, or are no entries', () => {
    const ledger = ledgerOf(votersAre(5, 'n1'));
    ledger.durable('n1', [{ ...putVoters(7, 1, ['n2']), value: none() }]);
    ledger.durable('n1', [{ ...putVoters(7, 1, ['n2']), key: 'elsewhere' }]);
    expect(ledger.configurations).toEqual([['n1']]);
  });
});
