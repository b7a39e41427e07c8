import { expect, test } from 'vitest';
import { entryKinds, Raft } from '../../consensus/raft.ts';
import { encodeCommand } from '../../node/core/command.ts';
import type { NodeId } from '../../node/core/message.ts';
import { Node } from '../../node/core/node.ts';
import { keys, writeEntry, writeJson } from '../../node/core/records.ts';

const addressOf = (node: NodeId): string => `/dns4/${node}/tcp/7000`;
const profileOf = (name: NodeId) => ({
  ...{ name, addresses: [addressOf(name)], site: '', capabilities: [], admin: '', agentsMax: 1 },
});

/** The disk of a member of a cluster in which these joined one after the other. */
function diskOf(members: NodeId[]): Map<string, Uint8Array> {
  const founded = Raft.bootstrapEntries({ voters: members, learners: [] });
  const joins = members.map((node, at) => ({
    ...{ index: founded.length + 1 + at, term: 1, kind: entryKinds.command },
    data: encodeCommand({ kind: 'memberJoin', node, boot: 1, start: node, profile: profileOf(node), atMs: 0 }),
  }));
  const writes = [
    writeJson(keys.boot, 1),
    writeJson(keys.cluster, 'c.1'),
    writeJson(keys.hardState, { term: 1, vote: '' }),
    ...[...founded, ...joins].map(writeEntry),
  ];
  return new Map(writes.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value]])));
}

test('a node that starts again tries everybody of its log, as whom it was told to join through may be gone for good', () => {
  const gone = addressOf('gone');
  const node = new Node({
    ...{ id: 'n1', start: 'again', profile: profileOf('n1'), records: diskOf(['n1', 'n2', 'n3']), join: [gone] },
    ...{ expect: 0, random: () => 0.5, at: { nowMs: 0, wallMs: 0 } },
  });
  const tried = new Set<string>();
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 100) {
    for (const effect of node.handle({ type: 'wake' }, { nowMs, wallMs: nowMs })) {
      if (effect.type === 'persist') node.handle({ type: 'persisted', id: effect.id }, { nowMs, wallMs: nowMs });
      if (effect.type === 'dialAddress') tried.add(effect.address);
      if (effect.type === 'dial') for (const address of effect.addresses) tried.add(address);
    }
  }
  expect([...tried].sort()).toEqual([gone, addressOf('n2'), addressOf('n3')].sort());
});
