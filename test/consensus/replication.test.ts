import { describe, expect, it } from 'vitest';
import { type Entry, entryKinds, type Raft, type RaftMessage } from '../../consensus/raft.ts';
import { Cluster } from './cluster.ts';
import { append, elect, logOf, saidTo, settle, single, success } from './single.ts';

const abc = ['a', 'b', 'c'];

/** Lets two nodes talk until they have nothing more to say. Returns how many append requests that took. */
function talk(leader: Raft, follower: Raft, nowMs: number): number {
  let requests = 0;
  for (let round = 0; round < 100; round += 1) {
    const asked = settle(leader);
    for (const body of saidTo(asked, follower.id, 'appendRequest')) {
      requests += 1;
      follower.receive(leader.id, { type: 'appendRequest', body }, nowMs);
    }
    const answers = saidTo(settle(follower), leader.id, 'appendReply');
    if (answers.length === 0) return requests;
    for (const body of answers) leader.receive(follower.id, { type: 'appendReply', body }, nowMs);
  }
  throw new Error('they never come to an end');
}

function terms(raft: Raft): number[] {
  return Array.from({ length: raft.lastIndex }, (_, i) => raft.entry(i + 1)?.term ?? 0);
}

describe('figure 7 of the paper', () => {
  const leaderTerms = [1, 1, 4, 4, 5, 5, 6, 6, 6];
  it.each([
    ['a', 'misses one entry', [1, 1, 4, 4, 5, 5, 6, 6]],
    ['b', 'misses many', [1, 1, 4]],
    ['c', 'has one too many', [1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d', 'has entries of a later term', [1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e', 'has uncommitted ones and misses others', [1, 1, 4, 4, 4, 4]],
    ['f', 'led twice without committing', [1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('(%s): a follower that %s ends with the leader’s log, a round trip per term', (_, __, followerTerms) => {
    const voters = ['leader', 'follower', 'third'];
    const leader = single('leader', logOf(voters, leaderTerms), 7);
    const follower = single('follower', logOf(voters, followerTerms), 7);
    const began = elect(leader, ['third']);
    for (const body of saidTo(began, 'follower', 'appendRequest')) {
      follower.receive('leader', { type: 'appendRequest', body }, 1300);
    }
    for (const body of saidTo(settle(follower), 'leader', 'appendReply')) {
      leader.receive('follower', { type: 'appendReply', body }, 1300);
    }
    const requests = talk(leader, follower, 1300);
    expect(terms(follower)).toEqual([1, ...leaderTerms, 8]);
    expect(terms(follower)).toEqual(terms(leader));
    expect(requests).toBeLessThanOrEqual(5);
    expect(leader.progress().get('follower')?.matchIndex).toBe(11);
  });
});

describe('figure 8 of the paper', () => {
  it('an entry of an older term on a majority is not committed until one of the own term is', () => {
    // S1 leads term 4 and holds an entry of term 2 that S2 and now S3 have too; S5 holds one of term 3.
    const voters = ['s1', 's2', 's3', 's4', 's5'];
    const s1 = single('s1', logOf(voters, [2]), 3);
    const began = elect(s1, ['s2', 's3']);
    expect(s1.term).toBe(4);
    s1.receive('s2', success(began, 's2', 2), 1300);
    s1.receive('s3', success(began, 's3', 2), 1300);
    expect(s1.progress().get('s3')?.matchIndex).toBe(2);
    expect(s1.commitIndex).toBe(0);
    // (d): S5 may still win and overwrite it.
    const s2 = single('s2', logOf(voters, [2]), 4);
    const s5 = single('s5', logOf(voters, [3]), 4);
    const won = elect(s5, ['s3', 's4']);
    for (const body of saidTo(won, 's2', 'appendRequest')) s2.receive('s5', { type: 'appendRequest', body }, 1300);
    for (const body of saidTo(settle(s2), 's5', 'appendReply')) s5.receive('s2', { type: 'appendReply', body }, 1300);
    talk(s5, s2, 1300);
    expect(terms(s2)).toEqual([1, 3, 5]);
    // (e): with its own entry on a majority, S1 commits both.
    const next = settle(s1);
    s1.receive('s2', success(next, 's2', 3), 1300);
    s1.receive('s3', success(next, 's3', 3), 1300);
    expect(s1.commitIndex).toBe(3);
  });
});

describe('a follower', () => {
  const log = logOf(abc, [1, 1, 2]);

  it('takes the same request twice, and an older one after it, without harm', () => {
    const raft = single('a', log, 2);
    const more = [{ index: 5, term: 2, kind: entryKinds.command, data: Buffer.from('5') }];
    raft.receive('b', append(2, log[3], more), 1);
    raft.receive('b', append(2, log[3], more), 2);
    raft.receive('b', append(2, log[1], log.slice(2, 3)), 3);
    const output = settle(raft);
    expect(raft.lastIndex).toBe(5);
    expect(output.persist).toEqual({ entries: more });
    expect(saidTo(output, 'b', 'appendReply').map((reply) => reply.matchIndex)).toEqual([5, 5, 3]);
  });

  it('moves its commit index only over what it knows to match', () => {
    const raft = single('a', log, 2);
    raft.receive('b', append(3, log[1], [], 4), 1);
    expect(raft.commitIndex).toBe(2);
    raft.receive('b', append(3, log[3], [], 100), 2);
    expect(raft.commitIndex).toBe(4);
  });

  it('cuts its log and its disk where the leader’s differs, and says what the disk must do', () => {
    const raft = single('a', log, 2);
    const other = [{ index: 3, term: 3, kind: entryKinds.command, data: Buffer.from('other') }];
    raft.receive('b', append(3, log[1], other), 1);
    expect(settle(raft).persist).toEqual({
      hardState: { term: 3, vote: '' },
      truncateFrom: 3,
      truncateThrough: 4,
      entries: other,
    });
  });

  it('that is cut twice before its disk hears of it names all that the disk must drop', () => {
    const raft = single('a', log, 2);
    const other = { kind: entryKinds.command, data: Buffer.from('other') };
    raft.receive('b', append(3, log[2], [{ ...other, index: 4, term: 3 }]), 1);
    raft.receive('c', append(4, log[1], [{ ...other, index: 3, term: 4 }]), 2);
    const persist = settle(raft).persist;
    expect(persist).toMatchObject({ truncateFrom: 3, truncateThrough: 4, entries: [{ index: 3, term: 4 }] });
  });

  it('never cuts off what is committed, whoever asks', () => {
    const raft = single('a', log, 2);
    raft.receive('b', append(3, log[3], [], 4), 1);
    const other = [{ index: 3, term: 3, kind: entryKinds.command, data: Buffer.from('other') }];
    raft.receive('b', append(3, log[1], other), 2);
    expect([raft.rejected, raft.lastIndex, raft.entry(3)?.term]).toEqual([1, 4, 1]);
  });

  it('says that it has entries only when they are on its disk', () => {
    const raft = single('a', log, 2);
    raft.receive('b', append(2, log[3], [{ index: 5, term: 2, kind: 1, data: Buffer.from('5') }]), 1);
    const output = raft.takeOutput();
    expect(output.early).toEqual([]);
    expect(output.persist?.entries.length).toBe(1);
    expect(saidTo(output, 'b', 'appendReply')).toMatchObject([{ success: true, matchIndex: 5 }]);
  });

  it('tells a leader of an older term that its time is over, and does not count it as heard', () => {
    const raft = single('a', log, 5);
    raft.receive('b', append(4, log[3], []), 10);
    expect(saidTo(settle(raft), 'b', 'appendReply')).toMatchObject([{ term: 5, success: false }]);
    expect([raft.leader, raft.hearsQuorum(10)]).toEqual(['', false]);
  });
});

describe('a leader', () => {
  const options = { entriesPerMessageMax: 2, messagesInFlightMax: 3, messageBytesMax: 100 };
  const fill = (raft: Raft, count: number, bytes = 1): void => {
    for (let i = 0; i < count; i += 1) raft.propose(Buffer.alloc(bytes), raft.deadlineMs() - 1);
  };

  it('sends one request at a time while it looks, and several when it knows where it is', () => {
    const raft = single('a', logOf(abc, []), 1, options);
    const began = elect(raft, ['b']);
    fill(raft, 20);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toEqual([]);
    raft.receive('b', success(began, 'b', 2), 1250);
    const requests = saidTo(settle(raft), 'b', 'appendRequest').filter(({ entries }) => entries.length > 0);
    expect(requests.map(({ entries }) => entries.map(({ index }) => index))).toEqual([
      [3, 4],
      [5, 6],
      [7, 8],
    ]);
    expect(settle(raft).early).toEqual([]);
  });

  it('keeps to the bytes of a message, but sends an entry that is larger alone', () => {
    const raft = single('a', logOf(abc, []), 1, options);
    const began = elect(raft, ['b']);
    fill(raft, 1, 500);
    fill(raft, 2, 60);
    raft.receive('b', success(began, 'b', 2), 1250);
    const requests = saidTo(settle(raft), 'b', 'appendRequest').filter(({ entries }) => entries.length > 0);
    expect(requests.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[3], [4], [5]]);
  });

  it('sends again what was lost as soon as a later answer shows it', () => {
    const raft = single('a', logOf(abc, []), 1);
    raft.receive('b', success(elect(raft, ['b']), 'b', 2), raft.deadlineMs() - 1);
    settle(raft);
    fill(raft, 1);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toMatchObject([{ entries: [{ index: 3 }] }]);
    raft.tick(raft.deadlineMs());
    const heartbeat = settle(raft);
    expect(saidTo(heartbeat, 'b', 'appendRequest')).toMatchObject([{ previousIndex: 2, entries: [] }]);
    raft.receive('b', success(heartbeat, 'b', 2), raft.deadlineMs() - 1);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toMatchObject([{ entries: [{ index: 3 }] }]);
  });

  it('tells in a heartbeat all that is committed, of which a follower takes what the request verifies', () => {
    const raft = single('a', logOf(abc, []), 1);
    const began = elect(raft, ['b']);
    raft.receive('b', success(began, 'b', 2), raft.deadlineMs() - 1);
    raft.receive('c', { ...success(began, 'c', 1) }, raft.deadlineMs() - 1);
    settle(raft);
    fill(raft, 1);
    raft.receive('b', success(settle(raft), 'b', 3), raft.deadlineMs() - 1);
    expect(raft.commitIndex).toBe(3);
    settle(raft);
    raft.tick(raft.deadlineMs());
    const [heartbeat] = saidTo(settle(raft), 'c', 'appendRequest');
    expect(heartbeat).toMatchObject({ previousIndex: 1, commitIndex: 3, entries: [] });
    // Its log is as long, but of another leader.
    const follower = single('c', logOf(abc, [1, 1]), 1);
    follower.receive('a', { type: 'appendRequest', body: heartbeat as never }, 5);
    expect([follower.lastIndex, follower.commitIndex]).toEqual([3, 1]);
  });

  it('brings everything anew to one whose disk holds no more what it had acknowledged', () => {
    const raft = single('a', logOf(abc, []), 1);
    const began = elect(raft, ['b']);
    raft.receive('b', success(began, 'b', 2), raft.deadlineMs() - 1);
    settle(raft);
    raft.tick(raft.deadlineMs());
    const heartbeat = settle(raft);
    expect(saidTo(heartbeat, 'b', 'appendRequest')).toMatchObject([{ previousIndex: 2, entries: [] }]);
    const { type, body } = success(heartbeat, 'b', 0) as Extract<RaftMessage, { type: 'appendReply' }>;
    raft.receive('b', { type, body: { ...body, success: false, conflictIndex: 1 } }, raft.deadlineMs() - 1);
    expect(raft.progress().get('b')?.matchIndex).toBe(0);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toMatchObject([
      { previousIndex: 0, entries: [{ index: 1 }, { index: 2 }] },
    ]);
  });

  it('refuses proposals when too much waits, and takes them again when it is committed', () => {
    const raft = single('a', logOf(abc, []), 1, { backlogEntriesMax: 4, entryBytesMax: 50, backlogBytesMax: 60 });
    const began = elect(raft, ['b']);
    raft.receive('b', success(began, 'b', 2), raft.deadlineMs() - 1);
    expect(raft.propose(Buffer.alloc(51), 1250)).toEqual({ ok: false, reason: 'tooLarge' });
    expect(raft.propose(Buffer.alloc(40), 1250).ok).toBe(true);
    expect(raft.propose(Buffer.alloc(40), 1250)).toEqual({ ok: false, reason: 'backlogFull' });
    fill(raft, 3);
    expect(raft.propose(Buffer.alloc(1), 1250)).toEqual({ ok: false, reason: 'backlogFull' });
    raft.receive('b', success(settle(raft), 'b', 6), raft.deadlineMs() - 1);
    expect(raft.commitIndex).toBe(6);
    expect(raft.propose(Buffer.alloc(40), 1250).ok).toBe(true);
  });

  it('counts its own copy only when it is on disk', () => {
    const raft = single('a', logOf(['a'], []));
    raft.tick(0);
    settle(raft);
    const first = raft.takeOutput();
    expect(first.persist?.entries.map(({ kind }) => kind)).toEqual([entryKinds.noop]);
    expect(raft.commitIndex).toBe(0);
    raft.durable(first.persist ?? { entries: [] });
    expect(raft.takeOutput().committed.map(({ index }) => index)).toEqual([1, 2]);
  });

  it('commits without its own disk when the others’ are a majority', () => {
    const raft = single('a', logOf(abc, []));
    const began = elect(raft, ['b']);
    raft.propose(Buffer.from('x'), raft.deadlineMs() - 1);
    raft.receive('b', success(began, 'b', 2), raft.deadlineMs() - 1);
    raft.receive('c', success(began, 'c', 2), raft.deadlineMs() - 1);
    const output = raft.takeOutput();
    raft.receive('b', success(output, 'b', 3), raft.deadlineMs() - 1);
    expect(raft.commitIndex).toBe(2);
    raft.receive('c', success(output, 'c', 3), raft.deadlineMs() - 1);
    expect(raft.commitIndex).toBe(3);
  });

  it('takes no answer for more than it has, of an older term, or of who is no member', () => {
    const raft = single('a', logOf(abc, []));
    const began = elect(raft, ['b']);
    const answer = success(began, 'b', 2);
    const change = (body: object): RaftMessage => ({ type: 'appendReply', body: { ...answer.body, ...body } }) as never;
    raft.receive('b', change({ matchIndex: 99 }), 1300);
    raft.receive('b', change({ term: 1 }), 1300);
    raft.receive('x', change({ term: 77 }), 1300);
    expect([raft.commitIndex, raft.rejected, raft.role]).toEqual([0, 1, 'leader']);
    raft.receive('b', answer, 1300);
    expect(raft.commitIndex).toBe(2);
  });

  it.each([
    [0, 8],
    [5, 13],
    [20, 28],
  ])('lets its followers know within %d ms what is committed', (commitToldMsMax, withinMs) => {
    const cluster = new Cluster(1, abc, { commitToldMsMax });
    const leader = cluster.leader();
    cluster.run(200);
    const beganMs = cluster.nowMs;
    cluster.commit('now', leader, abc);
    expect(cluster.nowMs - beganMs).toBeLessThan(withinMs);
  });

  it('tells what is committed along with the next entries, if they come soon', () => {
    const raft = single('a', logOf(abc, []), 1);
    const began = elect(raft, ['b'], 1_300);
    raft.receive('b', success(began, 'b', 2), 1_301);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toEqual([]);
    expect(raft.deadlineMs()).toBe(1_306);
    raft.propose(Buffer.from('x'), 1_303);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toMatchObject([{ commitIndex: 2, entries: [{ index: 3 }] }]);
    expect(raft.deadlineMs()).toBe(1_350);
    raft.receive('b', success(began, 'b', 2), 1_304);
    settle(raft);
  });

  it('tells it alone when they do not, and at once when it goes', () => {
    const raft = single('a', logOf(abc, []), 1);
    const began = elect(raft, ['b'], 1_300);
    raft.receive('b', success(began, 'b', 2), 1_301);
    settle(raft);
    raft.tick(1_306);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toMatchObject([{ round: 0, commitIndex: 2, entries: [] }]);
  });

  it('tells it at once to whoever has it when somebody waits for it there, and once', () => {
    const raft = single('a', logOf(abc, []), 1);
    const began = elect(raft, ['b'], 1_300);
    raft.receive('b', success(began, 'b', 2), 1_301);
    expect(raft.takeOutput().committed.map(({ index }: Entry) => index)).toEqual([1, 2]);
    raft.tellCommitted();
    const told = settle(raft);
    expect(saidTo(told, 'b', 'appendRequest')).toMatchObject([{ round: 0, commitIndex: 2, entries: [] }]);
    // What a follower does not have is not called committed there: it hears when it has it.
    expect(saidTo(told, 'c', 'appendRequest')).toEqual([]);
    raft.receive('c', success(began, 'c', 2), 1_302);
    expect(saidTo(settle(raft), 'c', 'appendRequest')).toMatchObject([{ round: 0, commitIndex: 2, entries: [] }]);
    expect(raft.deadlineMs()).toBe(1_350);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toEqual([]);
    raft.propose(Buffer.from('x'), 1_303);
    const [sent] = saidTo(settle(raft), 'b', 'appendRequest');
    expect(sent).toMatchObject({ commitIndex: 2, entries: [{ index: 3 }] });
  });

  it('asked of one that does not lead changes nothing', () => {
    const raft = single('a', logOf(abc, []), 1);
    raft.tellCommitted();
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toEqual([]);
    expect(raft.role).toBe('follower');
  });

  it('hands out what is committed in order and in portions', () => {
    const raft = single('a', logOf(['a'], [1, 1, 1, 1]), 1, { committedPerOutputMax: 2 });
    raft.tick(0);
    settle(raft);
    settle(raft);
    const seen: [number[], boolean][] = [];
    for (let i = 0; i < 3; i += 1) {
      const { committed, more } = raft.takeOutput();
      seen.push([committed.map(({ index }: Entry) => index), more]);
    }
    expect(seen).toEqual([
      [[1, 2], true],
      [[3, 4], true],
      [[5, 6], false],
    ]);
  });
});
