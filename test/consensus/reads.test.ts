import { describe, expect, it, test } from 'vitest';
import type { RaftMessage } from '../../consensus/raft.ts';
import { Cluster } from './cluster.ts';
import { append, elect, logOf, saidTo, settle, single, success } from './single.ts';

const voters = ['a', 'b', 'c'];

/** A leader of three whose first entry is committed; `at` is its time. */
function ready(options?: Parameters<typeof single>[3]) {
  const raft = single('a', logOf(voters, []), 1, { commitToldMsMax: 0, ...options });
  const atMs = 1_300;
  const output = elect(raft, ['b', 'c'], atMs);
  raft.receive('b', success(output, 'b', raft.lastIndex), atMs);
  settle(raft);
  return { raft, atMs };
}

describe('a read', () => {
  it('is refused before an entry of the own term is committed: the log may hold more than the leader knows', () => {
    const raft = single('a', logOf(voters, []), 1);
    expect(raft.read(0)).toEqual({ ok: false, reason: 'notLeader' });
    elect(raft, ['b', 'c'], 1_300);
    expect(raft.read(1_300)).toEqual({ ok: false, reason: 'notReady' });
  });

  it('waits for answers to requests that were sent after it began', () => {
    const { raft, atMs } = ready();
    const before = raft.takeOutput();
    raft.propose(Buffer.from('x'), atMs);
    const earlier = settle(raft);
    const read = raft.read(atMs + 1);
    expect(read.ok).toBe(true);
    const round = settle(raft);
    expect(saidTo(round, 'b', 'appendRequest')).toHaveLength(1);
    // An answer to what was sent before says nothing about this moment.
    raft.receive('b', success(earlier, 'b', raft.lastIndex), atMs + 2);
    expect(settle(raft).reads).toEqual([]);
    raft.receive('b', success(round, 'b', 0), atMs + 3);
    const { reads } = settle(raft);
    expect(reads).toEqual([{ id: 1, index: raft.lastIndex - 1 }]);
    expect(before.reads).toEqual([]);
  });

  it('goes with the others that come while a round is on its way', () => {
    const { raft, atMs } = ready();
    raft.read(atMs);
    const first = settle(raft);
    for (let n = 0; n < 100; n += 1) raft.read(atMs);
    expect(saidTo(settle(raft), 'b', 'appendRequest')).toEqual([]);
    raft.receive('b', success(first, 'b', 0), atMs + 1);
    const second = settle(raft);
    expect(second.reads.map(({ id }) => id)).toEqual([1]);
    expect(saidTo(second, 'b', 'appendRequest')).toHaveLength(1);
    raft.receive('b', success(second, 'b', 0), atMs + 2);
    expect(settle(raft).reads).toHaveLength(100);
  });

  it('is answered at once by who votes alone', () => {
    const raft = single('a', logOf(['a'], []), 1);
    raft.tick(0);
    for (let turn = 0; turn < 3; turn += 1) settle(raft);
    expect(raft.read(1).ok).toBe(true);
    expect(settle(raft).reads).toHaveLength(1);
  });

  it('is lost with the leadership, and says so', () => {
    const { raft, atMs } = ready();
    raft.read(atMs);
    settle(raft);
    raft.read(atMs);
    raft.receive('b', append(raft.term + 1, undefined, []), atMs + 1);
    expect(settle(raft).readsLost).toEqual([1, 2]);
  });

  it('is refused when too many wait', () => {
    const { raft, atMs } = ready({ readsWaitingMax: 2 });
    expect([raft.read(atMs), raft.read(atMs), raft.read(atMs)].map(({ ok }) => ok)).toEqual([true, true, false]);
  });

  test('many rounds do not crowd out the heartbeats of a slow follower', () => {
    const { raft, atMs } = ready();
    let sentToC = 0;
    for (let n = 0; n < 200; n += 1) {
      raft.read(atMs);
      const output = settle(raft);
      sentToC += saidTo(output, 'c', 'appendRequest').length;
      if (saidTo(output, 'b', 'appendRequest').length > 0) raft.receive('b', success(output, 'b', 0), atMs);
      settle(raft);
    }
    expect(sentToC).toBeLessThan(20);
  });
});

describe('the age of what a node has', () => {
  const log = logOf(voters, [1, 1, 1]);
  const heard = (raft: ReturnType<typeof single>, commitIndex: number, last: number, atMs: number): void => {
    raft.receive('b', append(1, log[last - 1], [], commitIndex), atMs);
    settle(raft);
  };

  it('is not known before a leader was heard', () => {
    expect(single('a', log).ageMs(100)).toBe(Number.POSITIVE_INFINITY);
  });

  it('counts from when the leader had committed no more, not from when it was heard last', () => {
    const raft = single('a', log);
    heard(raft, 1, 1, 100);
    expect(raft.ageMs(150)).toBe(50);
    for (let atMs = 200; atMs <= 1_000; atMs += 50) heard(raft, 4, 1, atMs);
    expect([raft.commitIndex, raft.ageMs(1_000)]).toEqual([1, 900]);
  });

  it('goes on for one that lags and never has it all', () => {
    const raft = single('a', log);
    heard(raft, 1, 1, 100);
    heard(raft, 2, 1, 200);
    heard(raft, 3, 1, 300);
    heard(raft, 4, 2, 400);
    // All that was committed at 200 is here; what was at 400 is not.
    expect([raft.commitIndex, raft.ageMs(450)]).toEqual([2, 250]);
  });

  it('counts from what the message answers, not from when it came: it may have been on its way for long', () => {
    const raft = single('a', log);
    const answered = (atMs: number, answersMs: number): number => {
      const { type, body } = append(1, log[0], [], 1) as Extract<RaftMessage, { type: 'appendRequest' }>;
      raft.receive('b', { type, body: { ...body, answersMs } }, atMs);
      return saidTo(settle(raft), 'b', 'appendReply').at(-1)?.sentMs ?? 0;
    };
    expect(answered(100, 0)).toBe(101);
    // It says that it heard this node, and not what of it.
    expect(raft.ageMs(100)).toBe(Number.POSITIVE_INFINITY);
    expect(answered(150, 101)).toBe(151);
    expect(raft.ageMs(150)).toBe(50);
    // Held back for nine seconds, by a socket or by a process that stood still.
    answered(9_150, 151);
    expect([raft.hearsQuorum(9_150), raft.ageMs(9_150)]).toEqual([true, 9_000]);
    // Said to an earlier start of this node, which had run for longer.
    answered(9_200, 20_000);
    expect(raft.ageMs(9_200)).toBe(9_050);
  });

  it('is told by a leader as of its last answers from a majority, and only once it has committed something', () => {
    const raft = single('a', log);
    elect(raft, ['b']);
    const told = (atMs: number): number | undefined => {
      raft.tick(atMs);
      return saidTo(settle(raft), 'b', 'appendRequest').at(-1)?.answersMs;
    };
    const atMs = raft.deadlineMs();
    const { round = 0 } = saidTo(settle(raft), 'b', 'appendRequest').at(-1) ?? {};
    const said = (sentMs: number, matchIndex: number, answers: number): RaftMessage => ({
      type: 'appendReply',
      body: { term: raft.term, success: true, matchIndex, conflictIndex: 0, conflictTerm: 0, round: answers, sentMs },
    });
    raft.receive('b', said(500, 4, round), atMs);
    expect(told(atMs)).toBe(0);
    raft.tick(atMs + 60);
    const again = saidTo(settle(raft), 'b', 'appendRequest').at(-1)?.round ?? 0;
    raft.receive('b', said(560, raft.lastIndex, again), atMs + 61);
    expect(raft.readyToLead()).toBe(true);
    // The request that was answered last was sent 61 + 50 ms before this one.
    const next = told(raft.deadlineMs()) ?? 0;
    expect(next).toBeGreaterThan(0);
    expect(next).toBeLessThan(560);
    raft.peerLost('b', raft.deadlineMs());
    expect(told(raft.deadlineMs())).toBe(0);
  });

  it('grows for a leader that nobody answers, and stays with it when it leads no more', () => {
    const { raft, atMs } = ready();
    expect(raft.ageMs(atMs + 1_000)).toBe(1_000);
    raft.tick(atMs + 10_000);
    expect([raft.role, raft.ageMs(atMs + 10_000)]).toEqual(['follower', 10_000]);
  });
});

describe('a lease', () => {
  const options = { leaseReads: true, electionTimeoutMsMin: 600, clockDriftMax: 0.1 };

  it('answers without a round while a majority has answered lately, and with one after that', () => {
    const { raft, atMs } = ready(options);
    raft.read(atMs + 500);
    const leased = settle(raft);
    expect(leased.reads).toHaveLength(1);
    expect(saidTo(leased, 'b', 'appendRequest')).toEqual([]);
    raft.read(atMs + 545);
    expect(settle(raft).reads).toEqual([]);
  });

  it('ends when leadership is handed over: who is asked to stand does not wait', () => {
    const { raft, atMs } = ready(options);
    raft.transferLeadership('b', atMs);
    const told = settle(raft);
    expect(saidTo(told, 'b', 'transferLeadership')).toHaveLength(1);
    raft.read(atMs + 1);
    expect(settle(raft).reads).toEqual([]);
  });

  it('makes voters wait, whatever became of the connection, and when they have just started', () => {
    const cluster = new Cluster(5, voters, options);
    const leader = cluster.leader();
    cluster.run(100);
    const startMs = cluster.nowMs;
    cluster.crash(leader);
    cluster.hangUp(leader);
    const [other, last] = voters.filter((id) => id !== leader) as [string, string];
    cluster.crash(last);
    cluster.start(last);
    cluster.until(() => cluster.node(other).role === 'leader' || cluster.node(last).role === 'leader', 5_000);
    expect(cluster.nowMs - startMs).toBeGreaterThan(600 - 50);
  });

  test('without it a lost connection ends the wait', () => {
    const cluster = new Cluster(5, voters);
    const leader = cluster.leader();
    cluster.run(100);
    const startMs = cluster.nowMs;
    cluster.crash(leader);
    cluster.hangUp(leader);
    cluster.leader();
    expect(cluster.nowMs - startMs).toBeLessThan(300);
  });
});
