import { describe, expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import { Node } from '../../node/core/node.ts';
import { keys, writeJson } from '../../node/core/records.ts';

const join = ['/dns4/node-1/tcp/7000', '/dns4/node-2/tcp/7000'];
const [first = '', second = ''] = join;

/** A node that joins by two addresses; `failed` says which it reports as out of reach when these dials fail. */
function joining(cluster = '') {
  const profile = { name: 'n', addresses: [], site: '', capabilities: [], admin: '', agentsMax: 1 };
  const kept = writeJson(keys.cluster, cluster);
  const records = new Map(cluster === '' || kept.value === undefined ? [] : [[kept.key, kept.value]]);
  const node = new Node({
    id: 'n1',
    start: 's1',
    profile,
    records,
    join,
    expect: 0,
    random: () => 0.5,
    at: { nowMs: 0, wallMs: 0 },
  });
  const handle = (event: Event): Effect[] => node.handle(event, { nowMs: 1, wallMs: 1 });
  const failed = (...addresses: string[]) =>
    addresses
      .flatMap((address) => handle({ type: 'dialFailed', address }))
      .flatMap((effect) => (effect.type === 'report' && effect.report.kind === 'dialFailed' ? [effect.report] : []));
  return { handle, failed };
}

const addressesOf = (reports: { details: Record<string, unknown> }[]) =>
  reports.map(({ details }) => details['address']);

describe('a join address that cannot be reached', () => {
  test('is reported once, with what to do', () => {
    const { failed } = joining();
    const reports = failed(first, second, first, second, first);
    expect(addressesOf(reports)).toEqual([first, second]);
    expect(reports[0]).toMatchObject({
      index: 0,
      text: expect.stringMatching(/node-1.*Nothing was changed.*tried again.*See that/),
    });
  });

  test('is nothing to report while somebody is connected, and news again once nobody is', () => {
    const { handle, failed } = joining();
    expect(addressesOf(failed(first))).toEqual([first]);
    handle({ type: 'connected', node: 'n2' });
    expect(failed(first, second)).toEqual([]);
    handle({ type: 'disconnected', node: 'n2' });
    expect(addressesOf(failed(first, first, second))).toEqual([first, second]);
  });

  test('is nothing to report for a node that knows its cluster', () => {
    expect(joining('c.1').failed(first)).toEqual([]);
  });

  test('is one that the node was given: no other takes memory', () => {
    const { failed } = joining();
    expect(failed('/dns4/other/tcp/7000')).toEqual([]);
  });
});
