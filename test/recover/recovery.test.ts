import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { afterEach, describe, expect, test } from 'vitest';
import { entryKinds } from '../../consensus/entry.ts';
import { type AgentLoss, wentOnAt } from '../../node/core/agent-loss.ts';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import { type Command, decodeCommand } from '../../node/core/command.ts';
import { senderOf } from '../../node/core/mail.ts';
import { keys } from '../../node/core/records.ts';
import { encodeState, loadState } from '../../node/core/state-snapshot.ts';
import { inspect } from '../../node/recover/inspection.ts';
import { type Recovery } from '../../node/recover/recovery.ts';
import { loadIdentity } from '../../node/runtime/identity.ts';
import { openStore } from '../../node/runtime/store.ts';
import {
  agent,
  commandFor,
  compact,
  fill,
  logUpTo,
  lost,
  readBack,
  recordsOf,
  recoverFrom,
  remains,
  removeMachines,
} from './machines.ts';

afterEach(removeMachines);

describe('a recovery', () => {
  test('starts a new cluster from the log that it appends to, and says so in the audit trail', async () => {
    const { all, best, other } = await remains();
    const recovery = await recoverFrom(best, [other]);
    const cluster = `bbbb2222.${best.node.slice(-12)}`;
    expect(recovery).toMatchObject({
      from: lost,
      cluster,
      index: 13,
      lastIndex: 12,
      lastTerm: 3,
      name: 'node-1',
      lostVoters: ['node-3', 'node-4', 'node-5'],
      resumed: false,
    });
    const { restored, raft, state, reports } = await readBack(best.directory);
    expect(restored).toMatchObject({ cluster, log: { hardState: { term: 5, vote: '' } }, boot: 4 });
    expect(restored.log.entries.slice(0, 12)).toEqual(
      logUpTo(12, all).map((entry) => expect.objectContaining({ index: entry.index, term: entry.term })),
    );
    expect(raft.configuration()).toEqual({ voters: [best.node], learners: [other.node] });
    expect(reports.at(-1)).toMatch(
      /^13 clusterRecovered: cluster aaaa1111\S+ lost its majority \(node-3, node-4, node-5\) .* node-1 up to index 12 of term 3$/,
    );
    expect(all.map(({ node }) => state.members.get(node)?.membership)).toEqual([
      'alive',
      'alive',
      'dead',
      'dead',
      'dead',
    ]);
  });

  test('leaves a follower its identity, its starts and the states that it holds, and nothing of the log', async () => {
    const { best, other } = await remains({}, { epoch: 8 });
    const before = await recordsOf(other.directory);
    const { cluster } = await recoverFrom(best, [other]);
    const after = await recordsOf(other.directory);
    expect([...after.keys()].filter((key) => key.startsWith('raft/'))).toEqual([keys.hardState]);
    const { restored, raft } = await readBack(other.directory);
    expect(restored).toMatchObject({ cluster, boot: 4, log: { hardState: { term: 0, vote: '' }, entries: [] } });
    expect(raft.configuration().voters).toEqual([]);
    expect(after.get(keys.holder('counter'))).toEqual(before.get(keys.holder('counter')));
    expect(peerIdFromPrivateKey(await loadIdentity(other.directory)).toString()).toBe(other.node);
  });

  test('gives no epoch again that a survivor knows', async () => {
    const { best, other } = await remains({ epoch: 11 }, { epoch: 40 });
    expect(await recoverFrom(best, [other])).toMatchObject({ index: 41, lastIndex: 12 });
    expect((await readBack(best.directory)).raft.lastIndex).toBe(42);
  });

  test('from a shorter log is had by force only', async () => {
    const { best, other } = await remains();
    expect(await recoverFrom(other, [best], { forceThisOne: true })).toMatchObject({ lastIndex: 9, name: 'node-2' });
  });

  test('goes on behind a snapshot, also where the log holds nothing else, and a follower forgets its own', async () => {
    const { all, best, other } = await remains();
    for (const { directory } of [best, other]) await compact(directory);
    const { inspected } = await inspect([best.directory, other.directory]);
    const ends = inspected.map(({ survivor }) => [survivor?.name, survivor?.lastTerm, survivor?.lastIndex]);
    expect(ends).toEqual([
      ['node-1', 3, 12],
      ['node-2', 3, 9],
    ]);
    expect(await recoverFrom(best, [other])).toMatchObject({ index: 13, lostVoters: ['node-3', 'node-4', 'node-5'] });
    const { restored, raft } = await readBack(best.directory);
    expect([restored.log.snapshot?.index, restored.log.entries.map(({ index }) => index)]).toEqual([12, [13, 14]]);
    expect(raft.configuration()).toEqual({ voters: [best.node], learners: [other.node] });
    const state = new ClusterState();
    loadState(state, restored.log.snapshot?.data ?? new Uint8Array());
    expect(all.map(({ node }) => state.members.has(node))).not.toContain(false);
    const left = [...(await recordsOf(other.directory)).keys()].filter((key) => key.startsWith(keys.raftPrefix));
    expect(left).toEqual([keys.hardState]);
  });

  test.each([true, false])('goes on from an older state only where that was accepted (%s)', async (accepted) => {
    const { all, best, other } = await remains();
    const [a = '', b = '', c = '', d = ''] = all.map(({ node }) => node);
    const holders = { whole: [a, b, c], part: [a, c, d], none: [c, d] };
    await recoverFrom(best, [other], { acceptOlderState: accepted });
    const { restored } = await readBack(best.directory);
    const state = new ClusterState();
    for (const [id, of] of Object.entries(holders)) {
      const placement = { epoch: 7, host: of[0] ?? '', boot: 1, holders: of };
      state.agents.set(id, { ...agent, id, placement, active: placement });
    }
    const commands = restored.log.entries.filter(({ kind }) => kind === entryKinds.command);
    const told = commands.map(({ data, index }) => apply(state, decodeCommand(data), index)).at(-1);
    expect(told).toMatchObject({ ok: true, details: { olderState: accepted ? ['part'] : [] } });
    const left = Object.keys(holders).map((id) => state.agents.get(id)?.active?.holders);
    expect(left).toEqual([[a, b, c], accepted ? [a] : [a, c, d], [c, d]]);
  });

  test('lets what agents send from then on have other ids than in steps that may be lost', async () => {
    const { best, other } = await remains();
    await recoverFrom(best, [other]);
    const { restored } = await readBack(best.directory);
    const commands = restored.log.entries.filter(({ kind }) => kind === entryKinds.command);
    const { data, index } = commands.at(-1) ?? { data: new Uint8Array(0), index: 0 };
    const command = decodeCommand(data) as Extract<Command, { kind: 'clusterRecovered' }>;
    const senderAfter = (told: Command, loss?: AgentLoss): string => {
      const state = new ClusterState();
      state.agents.set('a', { ...agent, id: 'a', created: 3, loss, placement: undefined, active: undefined });
      expect(apply(state, told, index)).toMatchObject({ ok: true });
      const copy = new ClusterState();
      loadState(copy, encodeState(state));
      const record = copy.agents.get('a');
      if (record === undefined) throw new Error('the agent is gone');
      return senderOf({ agent: 'a', created: record.created, wentOnAt: wentOnAt(record), epoch: 9 });
    };
    expect(senderAfter(command)).toBe(`a:3.${index}`);
    const loss = { index: 5, from: best.node, epoch: 4, sequence: 1, missing: [], lost: undefined };
    expect(senderAfter(command, loss)).toBe(`a:3.${index}`);
    // A log of before does not say so, and every node that reads it comes to the same.
    expect(senderAfter({ ...command, otherLetters: undefined })).toBe('a:3');
    expect(senderAfter({ ...command, otherLetters: undefined }, loss)).toBe('a:3.5');
  });

  test('that was interrupted is completed by the same command, and by none twice', async () => {
    const { best, other } = await remains();
    const kept = join(best.directory, '..', 'kept');
    await cp(other.directory, kept, { recursive: true });
    const first = await recoverFrom(best, [other]);
    const bestAfter = await recordsOf(best.directory);
    // as if the second store had not been written
    await rm(other.directory, { recursive: true });
    await cp(kept, other.directory, { recursive: true });
    expect((await inspect([best.directory, other.directory])).command).toEqual(commandFor(best, other));
    const again: Recovery = await recoverFrom(best, [other], { nonce: 'cccc3333' });
    expect(again).toMatchObject({ cluster: first.cluster, index: first.index, resumed: true });
    expect((await readBack(other.directory)).restored).toMatchObject({ cluster: first.cluster, log: { entries: [] } });
    expect(await recordsOf(best.directory)).toEqual(bestAfter);
    const otherAfter = await recordsOf(other.directory);
    expect(await recoverFrom(best, [other])).toMatchObject({ cluster: first.cluster, resumed: true });
    expect(await recordsOf(other.directory)).toEqual(otherAfter);
  });

  test('takes in a survivor that is found later, unless it knows epochs that were given to others', async () => {
    const { all, best, other } = await remains();
    const { cluster } = await recoverFrom(best, []);
    const late = all[2];
    await fill(late, all, { index: 10, epoch: 13 });
    await expect(recoverFrom(best, [late])).rejects.toThrow(/epochs up to 13.*Nothing was changed.*start it as a new/);
    expect(await recoverFrom(best, [other])).toMatchObject({ cluster, resumed: true });
  });
});

interface Refusal {
  what: string;
  says: RegExp;
  attempt(parts: Awaited<ReturnType<typeof remains>>): Promise<unknown>;
}

const refusals: Refusal[] = [
  {
    what: 'without a confirmation, and says what may be lost',
    says: /not confirmed.*what only node-3, node-4, node-5 knew is lost.*Nothing was changed.*"--confirm aaaa1111/,
    attempt: ({ best, other }) => recoverFrom(best, [other], { confirm: undefined }),
  },
  {
    what: 'with the id of another cluster',
    says: /"x" is not the id of the cluster.*Nothing was changed/,
    attempt: ({ best, other }) => recoverFrom(best, [other], { confirm: 'x' }),
  },
  {
    what: 'from one that is not the best of those given',
    says: /node-2 is not the best survivor: its log ends at term 3, index 9.*Nothing was changed.*--force-this-one/,
    attempt: ({ best, other }) => recoverFrom(other, [best]),
  },
  {
    what: 'while a majority is there',
    says: /3 of 5 voters are here: that is a majority.*Nothing was changed. Start these nodes/,
    attempt: async ({ all, best, other }) => {
      await fill(all[2], all, { index: 9 });
      return recoverFrom(best, [other, all[2]]);
    },
  },
  {
    what: 'with a node of another cluster',
    says: /belongs to cluster dddd4444.*Nothing was changed/,
    attempt: async ({ all, best, other }) => {
      await fill(all[2], all, { index: 9, cluster: 'dddd4444.x' });
      return recoverFrom(best, [other, all[2]]);
    },
  },
  {
    what: 'with a node given twice',
    says: /given twice. Nothing was changed/,
    attempt: async ({ best, other }) => {
      const copy = join(other.directory, '..', 'copy');
      await cp(other.directory, copy, { recursive: true });
      return recoverFrom(best, [other, { ...other, directory: copy }]);
    },
  },
  {
    what: 'from a node that never met a cluster',
    says: /knows of no cluster.*Nothing was changed/,
    attempt: ({ all }) => recoverFrom(all[4], []),
  },
  {
    what: 'from a directory that is none of a node',
    says: /is no data directory of a node: there is no "identity.key".*Nothing was changed/,
    attempt: ({ best }) => recoverFrom({ ...best, directory: join(best.directory, 'store') }, []),
  },
  {
    what: 'while a node runs',
    says: /in use.*Nothing was changed/,
    attempt: async ({ best, other }) => {
      const running = await openStore(join(other.directory, 'store'));
      return recoverFrom(best, [other]).finally(() => running.close());
    },
  },
];

describe('nothing is recovered, and nothing changed,', () => {
  test.each(refusals)('$what', async ({ attempt, says }) => {
    const parts = await remains();
    const { best, other } = parts;
    const before = [await recordsOf(best.directory), await recordsOf(other.directory)];
    await expect(attempt(parts)).rejects.toThrow(says);
    expect([await recordsOf(best.directory), await recordsOf(other.directory)]).toEqual(before);
  });

  test('with a store that is damaged', async () => {
    const { best, other } = await remains();
    const before = await recordsOf(best.directory);
    const store = join(other.directory, 'store');
    const log = join(store, (await readdir(store)).find((file) => file.endsWith('.log')) ?? '');
    const bytes = await readFile(log);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await writeFile(log, bytes);
    await expect(recoverFrom(best, [other])).rejects.toThrow(/damaged.*Nothing was changed/);
    expect(await recordsOf(best.directory)).toEqual(before);
    const { inspected, best: found } = await inspect([other.directory, best.directory]);
    expect(inspected.map(({ problem }) => problem?.includes('damaged'))).toEqual([true, undefined]);
    expect(found?.node).toBe(best.node);
  });
});
