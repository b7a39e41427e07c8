import { describe, expect, it, test } from 'vitest';
import { encodeConfiguration } from '../../consensus/configuration.ts';
import { type Entry, entryKinds, Raft, type RaftMessage, type Snapshot } from '../../consensus/raft.ts';
import { checksumOf } from '../../consensus/snapshot.ts';
import { Cluster } from './cluster.ts';
import { append, elect, logOf, saidTo, settle, single, success } from './single.ts';

const voters = ['a', 'b', 'c'];
const configuration = { voters, learners: [] };

function snapshotOf(index: number, term: number, text = 'everything up to there'): Snapshot {
  return { index, term, configuration, data: Buffer.from(text) };
}

/** The parts of a snapshot, as a leader of `term` sends them. */
function chunks(snapshot: Snapshot, term: number, chunkBytes: number, from = 0): RaftMessage[] {
  const { index, term: snapshotTerm, data } = snapshot;
  const place = { term, index, snapshotTerm, configuration: encodeConfiguration(snapshot.configuration) };
  const whole = { length: data.byteLength, checksum: checksumOf(snapshot), leader: '', ageMs: 0 };
  const messages: RaftMessage[] = [];
  for (let offset = from; offset < data.byteLength; offset += chunkBytes) {
    const body = { ...place, ...whole, offset, data: data.slice(offset, offset + chunkBytes), round: offset + 1 };
    messages.push({ type: 'snapshotChunk', body });
  }
  return messages;
}

describe('an answer to a request of an earlier leadership', () => {
  // The same node may lead again by then, and have a request of that very number on its way.
  it('names none of the present one', () => {
    const raft = single('c', logOf(voters, [2]), 3);
    const request = append(2, undefined, []) as Extract<RaftMessage, { type: 'appendRequest' }>;
    raft.receive('a', { ...request, body: { ...request.body, round: 6 } }, 1);
    raft.receive('a', chunks(snapshotOf(7, 2), 2, 99)[0] as RaftMessage, 1);
    const output = settle(raft);
    expect(saidTo(output, 'a', 'appendReply')).toMatchObject([{ term: 3, success: false, round: 0 }]);
    expect(saidTo(output, 'a', 'snapshotReply')).toMatchObject([{ term: 3, installed: false, round: 0 }]);
  });

  it('confirms no read and forgets nothing', () => {
    const raft = single('a', logOf(voters, []), 1);
    const began = elect(raft, ['b', 'c'], 1_300);
    for (const from of ['b', 'c']) raft.receive(from, success(began, from, raft.lastIndex), 1_301);
    settle(raft);
    raft.read(1_302);
    settle(raft);
    const body = { term: 2, success: false, matchIndex: 0, conflictIndex: 0, conflictTerm: 0, round: 0 };
    for (const from of ['b', 'c']) raft.receive(from, { type: 'appendReply', body }, 1_303);
    expect(settle(raft).reads).toEqual([]);
    expect(raft.progress().get('c')?.matchIndex).toBe(raft.lastIndex);
  });
});

describe('a leader whose log begins behind a follower', () => {
  /** Of three; `c` has never answered, and what it lacks is in a snapshot. */
  function compacted() {
    const raft = single('a', logOf(voters, [1, 1]), 1);
    const began = elect(raft, ['b'], 1_300);
    raft.receive('b', success(began, 'b', raft.lastIndex), 1_301);
    settle(raft);
    raft.compact(Buffer.from('state'), 0);
    settle(raft);
    raft.peerLost('c', 1_302);
    return raft;
  }

  it('only asks it while it does not answer, and keeps nothing for it', () => {
    const raft = compacted();
    for (let atMs = 1_350; atMs < 1_900; atMs += 50) {
      raft.tick(atMs);
      const output = settle(raft);
      expect(saidTo(output, 'c', 'snapshotChunk')).toEqual([]);
      for (const { entries } of saidTo(output, 'c', 'appendRequest')) expect(entries).toEqual([]);
      raft.receive('b', success(output, 'b', raft.lastIndex), atMs + 1);
    }
    expect(raft.progress().get('c')?.state).toBe('probe');
  });

  it('brings the latest snapshot as soon as it answers, and stops when it answers no more', () => {
    const raft = compacted();
    raft.tick(1_350);
    const asked = settle(raft);
    raft.receive('b', success(asked, 'b', raft.lastIndex), 1_351);
    raft.receive('c', success(asked, 'c', 0), 1_352);
    expect(saidTo(settle(raft), 'c', 'snapshotChunk')).toMatchObject([{ index: raft.snapshotIndex }]);
    expect(raft.progress().get('c')?.state).toBe('snapshot');
    for (let atMs = 1_400; atMs < 2_700; atMs += 50) {
      raft.tick(atMs);
      raft.receive('b', success(settle(raft), 'b', raft.lastIndex), atMs + 1);
    }
    expect(raft.progress().get('c')?.state).toBe('probe');
  });
});

describe('a follower that is brought a snapshot', () => {
  it('says that it has it only when it is on its disk', () => {
    const raft = single('b', [], 0);
    const parts = chunks(snapshotOf(7, 2), 3, 8);
    for (const part of parts) raft.receive('a', part, 1);
    const output = raft.takeOutput();
    expect(output.early).toEqual([]);
    expect(saidTo(output, 'a', 'snapshotReply').map(({ installed }) => installed)).toEqual([false, false, true]);
    expect(output.persist).toMatchObject({ snapshot: { index: 7, term: 2, base: { index: 7, term: 2 } } });
    expect(output.installed).toMatchObject({ index: 7 });
    expect(raft.commitIndex).toBe(7);
    expect(raft.configuration()).toEqual(configuration);
  });

  it('takes the parts in any order and as often as they come', () => {
    const raft = single('b', [], 0);
    const parts = chunks(snapshotOf(7, 2), 3, 8);
    const [first, second, third] = parts as [RaftMessage, RaftMessage, RaftMessage];
    for (const part of [second, first, first, third, second, third]) raft.receive('a', part, 1);
    const replies = saidTo(raft.takeOutput(), 'a', 'snapshotReply');
    expect(replies.map(({ offset }) => offset)).toEqual([0, 8, 8, 8, 16, 0]);
    expect(replies.at(-1)?.installed).toBe(true);
  });

  it('goes on where another leader stopped, when it is the very same snapshot', () => {
    const raft = single('c', [], 0);
    const snapshot = snapshotOf(7, 2);
    raft.receive('a', chunks(snapshot, 3, 8)[0] as RaftMessage, 1);
    for (const part of chunks(snapshot, 4, 8, 8)) raft.receive('b', part, 2);
    expect(saidTo(raft.takeOutput(), 'b', 'snapshotReply').at(-1)?.installed).toBe(true);
  });

  it('begins anew with another snapshot, and never mixes the two', () => {
    const raft = single('b', [], 0);
    raft.receive('a', chunks(snapshotOf(7, 2), 3, 8)[0] as RaftMessage, 1);
    const other = chunks(snapshotOf(7, 2, 'everything up to THERE'), 3, 8);
    raft.receive('a', other[1] as RaftMessage, 2);
    raft.receive('a', other[2] as RaftMessage, 2);
    const replies = saidTo(raft.takeOutput(), 'a', 'snapshotReply');
    expect(replies.map(({ offset, installed }) => [offset, installed])).toEqual([
      [8, false],
      [0, false],
      [0, false],
    ]);
  });

  it('refuses one whose bytes are not those that were sent', () => {
    const raft = single('b', [], 0);
    const [whole] = chunks(snapshotOf(7, 2), 3, 1_000) as [Extract<RaftMessage, { type: 'snapshotChunk' }>];
    whole.body.data = Uint8Array.from(whole.body.data, (byte, place) => (place === 5 ? byte ^ 1 : byte));
    raft.receive('a', whole, 1);
    const output = raft.takeOutput();
    expect(raft.rejected).toBe(1);
    expect(output.installed).toBeUndefined();
    expect(saidTo(output, 'a', 'snapshotReply')).toMatchObject([{ offset: 0, installed: false }]);
  });

  it('refuses one that is larger than it takes, and what makes no sense', () => {
    const raft = single('b', [], 0, { snapshotBytesMax: 10 });
    raft.receive('a', chunks(snapshotOf(7, 2), 3, 8)[0] as RaftMessage, 1);
    const [good] = chunks(snapshotOf(7, 2), 3, 8) as [Extract<RaftMessage, { type: 'snapshotChunk' }>];
    for (const wrong of [{ index: 0 }, { snapshotTerm: 9 }, { offset: 30 }, { configuration: Buffer.from('{}') }]) {
      raft.receive('a', { type: 'snapshotChunk', body: { ...good.body, ...wrong } }, 1);
    }
    expect(raft.rejected).toBe(5);
    expect(raft.commitIndex).toBe(0);
  });

  it('answers an old leader with its own term, and takes nothing from it', () => {
    const raft = single('b', [], 9);
    for (const part of chunks(snapshotOf(7, 2), 3, 100)) raft.receive('a', part, 1);
    const output = raft.takeOutput();
    expect(saidTo(output, 'a', 'snapshotReply')).toMatchObject([{ term: 9, installed: false }]);
    expect(output.installed).toBeUndefined();
  });

  it('keeps the tail behind it only if it holds the very entry that the snapshot ends with', () => {
    const same = single('b', logOf(voters, [1, 2, 2, 2]));
    for (const part of chunks(snapshotOf(3, 2), 3, 100)) same.receive('a', part, 1);
    expect(same.lastIndex).toBe(5);
    const other = single('b', logOf(voters, [1, 1, 1, 1]));
    for (const part of chunks(snapshotOf(3, 2), 3, 100)) other.receive('a', part, 1);
    expect(other.lastIndex).toBe(3);
    const { persist } = other.takeOutput();
    expect(persist).toMatchObject({ dropFrom: 1, dropThrough: 5, entries: [] });
  });

  it('does not go back to one that lies before what it has committed', () => {
    const log = logOf(voters, [1, 1, 1]);
    const raft = single('b', log);
    raft.receive('a', append(1, log.at(-1), [], 4), 1);
    settle(raft);
    for (const part of chunks(snapshotOf(3, 1), 1, 100)) raft.receive('a', part, 2);
    const output = raft.takeOutput();
    expect(output.installed).toBeUndefined();
    expect(saidTo(output, 'a', 'snapshotReply')).toMatchObject([{ index: 3, installed: true }]);
    expect(raft.base.index).toBe(0);
  });
});

describe('a log that is compacted', () => {
  it('does not snapshot a configuration that is only proposed', () => {
    const raft = single('a', logOf(['a'], []), 1);
    raft.tick(0);
    for (let turn = 0; turn < 4; turn += 1) settle(raft);
    expect(raft.changeConfiguration({ voters: ['a', 'b'], learners: [] }, 1).ok).toBe(true);
    raft.compact(Buffer.from('x'), 0);
    const { persist } = raft.takeOutput();
    expect(persist?.snapshot?.configuration).toEqual({ voters: ['a'], learners: [] });
    // But the log behind it still says who counts now.
    expect(raft.configuration().voters).toEqual(['a', 'b']);
  });

  it('keeps as many entries behind the snapshot as asked, and no more bytes than allowed', () => {
    const raft = single('a', logOf(['a'], []), 1, { keptBytesMax: 10 });
    raft.tick(0);
    settle(raft);
    for (let n = 0; n < 10; n += 1) raft.propose(Buffer.from('12345'), 1);
    for (let turn = 0; turn < 4; turn += 1) settle(raft);
    const { lastIndex } = raft;
    expect(raft.compact(Buffer.from('x'), 4)).toBe(true);
    expect(raft.base.index).toBe(lastIndex - 2);
    expect(raft.compact(Buffer.from('x'), 4)).toBe(false);
    expect(() => raft.compact(new Uint8Array(0), 4)).toThrow(/at least one byte/);
  });

  it('starts again from what was stored, and refuses what does not fit together', () => {
    const init = { id: 'a', hardState: { term: 2, vote: '' }, random: () => 0.5, nowMs: 0 };
    const entry = (index: number, term: number): Entry => ({
      index,
      term,
      kind: entryKinds.command,
      data: Buffer.from('x'),
    });
    const base = { index: 4, term: 1 };
    const raft = new Raft({ ...init, base, snapshot: snapshotOf(5, 1), entries: [entry(5, 1), entry(6, 2)] });
    expect([raft.commitIndex, raft.lastIndex, raft.snapshotIndex]).toEqual([5, 6, 5]);
    expect(raft.takeOutput().committed).toEqual([]);
    expect(() => new Raft({ ...init, base, snapshot: snapshotOf(5, 1), entries: [entry(6, 2)] })).toThrow(
      /cannot be used/,
    );
    expect(() => new Raft({ ...init, base, snapshot: snapshotOf(5, 2), entries: [entry(5, 1)] })).toThrow(
      /does not hold 5/,
    );
  });
});

describe('a leader whose follower lacks what it no longer has', () => {
  const options = { snapshotChunkBytes: 50, snapshotChunksInFlightMax: 2 };

  it('brings a snapshot and goes on behind it, serving all the while', () => {
    const cluster = new Cluster(1, voters, options);
    const leader = cluster.leader();
    const [slow] = voters.filter((id) => id !== leader) as [string];
    cluster.crash(slow);
    for (let n = 0; n < 20; n += 1) cluster.commit(`before ${n}`);
    expect(cluster.compact(leader, 0)).toBe(true);
    cluster.start(slow);
    cluster.commit('meanwhile');
    const { length } = cluster.applied(leader);
    expect(cluster.until(() => cluster.applied(slow).length >= length)).toBe(true);
    expect(cluster.node(slow).base.index).toBe(cluster.node(leader).base.index);
    cluster.commit('after', leader, voters);
  });

  it('does not flood a follower that is gone in the midst of it, and goes on when it is back', () => {
    const cluster = new Cluster(2, voters, options);
    const leader = cluster.leader();
    const [slow] = voters.filter((id) => id !== leader) as [string];
    cluster.crash(slow);
    for (let n = 0; n < 20; n += 1) cluster.commit(`before ${n}`);
    cluster.compact(leader, 0);
    cluster.start(slow);
    cluster.until(() => cluster.sent.some(({ message }) => message.type === 'snapshotReply'));
    cluster.crash(slow);
    cluster.hangUp(slow);
    cluster.run(50);
    cluster.takeSent();
    cluster.run(2_000);
    expect(cluster.takeSent().filter(({ message }) => message.type === 'snapshotChunk')).toEqual([]);
    cluster.start(slow);
    cluster.commit('after', cluster.leader(), voters);
  });

  test('a newcomer gets the members with the snapshot', () => {
    const cluster = new Cluster(3, voters, options);
    const leader = cluster.leader();
    for (let n = 0; n < 5; n += 1) cluster.commit(`before ${n}`);
    cluster.compact(leader, 0);
    cluster.add('d');
    cluster.change({ voters, learners: ['d'] }, leader);
    cluster.commit('with it', leader, ['d']);
    expect(cluster.node('d').configuration().learners).toEqual(['d']);
    expect(cluster.node('d').base.index).toBeGreaterThan(1);
  });

  test('an answer that claims a snapshot of what is not in the log is not believed', () => {
    const log = logOf(voters, [1]);
    const raft = single('a', log);
    const output = elect(raft, ['b', 'c'], 1_300);
    raft.receive('b', success(output, 'b', raft.lastIndex), 1_301);
    settle(raft);
    const body = { term: raft.term, index: 99, offset: 0, installed: true, round: 1 };
    raft.receive('c', { type: 'snapshotReply', body }, 1_302);
    expect(raft.rejected).toBe(1);
    expect(raft.progress().get('c')?.matchIndex).toBe(0);
  });
});
