import { expect, test } from 'vitest';
import { Node } from '../../node/core/node.ts';
import type { Operation } from '../../node/core/operation.ts';

const profile = { name: 'n', addresses: [], site: '', capabilities: [], admin: '', agentsMax: 1 };

/** How a node that never meets a cluster answers once it has waited as long as it may. */
function answerAlone(operation: Operation) {
  const at = { nowMs: 0, wallMs: 0 };
  const node = new Node({
    id: 'n1',
    start: 's1',
    profile,
    records: new Map(),
    join: [],
    expect: 0,
    random: () => 0.5,
    at,
  });
  const effects = node.handle({ type: 'request', request: 'r1', operation }, at);
  expect(effects.filter(({ type }) => type === 'reply')).toEqual([]);
  return node
    .handle({ type: 'wake' }, { nowMs: 60_000, wallMs: 60_000 })
    .flatMap((effect) => (effect.type === 'reply' ? [effect.outcome] : []));
}

test('a node that has met no cluster says so, and that nothing was changed', () => {
  const payload = new Uint8Array(1);
  const operations: Operation[] = [
    { type: 'delete', agent: 'a' },
    { type: 'task', agent: 'a', task: 't', payload, ttlMs: 1_000 },
    { type: 'state', agent: 'a', ttlMs: 1_000 },
  ];
  for (const operation of operations) {
    const error = { code: 'notMember', message: expect.stringMatching(/not a member.*Nothing was changed/) };
    expect(answerAlone(operation)).toMatchObject([{ ok: false, error }]);
  }
});
