import { describe, expect, it } from 'vitest';
import { failoverRank } from '../../consensus/failover.ts';
import { defaultOptions } from '../../consensus/options.ts';
import { Cluster } from './cluster.ts';
import { append, logOf, saidTo, settle, single, voteRequest } from './single.ts';

const abc = ['a', 'b', 'c'];
const last = logOf(abc, []).at(-1);

describe('a failover', () => {
  it('gives each voter its own turn, in the ring behind the leader', () => {
    const voters = ['d', 'a', 'c', 'b'];
    expect(['c', 'd', 'a'].map((id) => failoverRank('b', voters, id))).toEqual([0, 1, 2]);
    expect(['a', 'b', 'c'].map((id) => failoverRank('d', voters, id))).toEqual([0, 1, 2]);
  });

  it('begins at once with the first in the ring, and a little later with the next', () => {
    for (const [id, delayMs] of [
      ['b', 0],
      ['c', defaultOptions.fastElectionStaggerMs],
    ] as const) {
      const raft = single(id, logOf(abc, []));
      raft.receive('a', append(2, last, []), 100);
      settle(raft);
      raft.peerLost('a', 110);
      expect(raft.deadlineMs()).toBe(110 + delayMs);
      raft.tick(raft.deadlineMs());
      expect(raft.role).toBe('preCandidate');
      expect(raft.term).toBe(2);
    }
  });

  it('lets go of the lost leader at once, for others that ask', () => {
    const raft = single('c', logOf(abc, []));
    raft.receive('a', append(2, last, []), 100);
    raft.peerLost('a', 110);
    raft.receive('b', voteRequest(3, last, { pre: true }), 111);
    expect(saidTo(settle(raft), 'b', 'voteReply')).toEqual([{ term: 3, pre: true, granted: true }]);
  });

  it('is called off when the leader is heard again', () => {
    const raft = single('b', logOf(abc, []));
    raft.receive('a', append(2, last, []), 100);
    raft.peerLost('a', 110);
    raft.tick(110);
    raft.receive('a', append(2, last, []), 115);
    expect([raft.role, raft.leader]).toEqual(['follower', 'a']);
    expect(raft.deadlineMs()).toBeGreaterThanOrEqual(715);
    raft.receive('c', voteRequest(3, last, { pre: true }), 116);
    expect(saidTo(settle(raft), 'c', 'voteReply')[0]?.granted).toBe(false);
  });

  it('asks again while others have not noticed, then falls back to the ordinary timeout', () => {
    const raft = single('b', logOf(abc, []));
    raft.receive('a', append(2, last, []), 100);
    settle(raft);
    raft.peerLost('a', 110);
    const asked: number[] = [];
    for (let nowMs = 110; nowMs < 700; nowMs = Math.max(nowMs + 1, raft.deadlineMs())) {
      raft.tick(nowMs);
      if (saidTo(raft.takeOutput(), 'c', 'voteRequest').length > 0) asked.push(nowMs);
      raft.receive('c', { type: 'voteReply', body: { term: 2, pre: true, granted: false } }, nowMs);
    }
    expect(asked).toEqual(Array.from({ length: 20 }, (_, i) => 110 + i * 10));
    expect(raft.deadlineMs()).toBeGreaterThanOrEqual(700);
    expect(raft.term).toBe(2);
  });

  it('is begun as well by the loss of a candidate that was voted for and never heard as leader', () => {
    const raft = single('b', logOf(abc, []));
    raft.receive('a', voteRequest(2, last), 100);
    settle(raft);
    raft.peerLost('a', 110);
    expect(raft.deadlineMs()).toBe(110);
  });

  it('is not begun by the loss of anybody but the leader, nor by a learner', () => {
    const follower = single('b', logOf(abc, []));
    follower.receive('a', append(2, last, []), 100);
    follower.peerLost('c', 110);
    expect(follower.deadlineMs()).toBeGreaterThanOrEqual(700);
    const learner = single('x', logOf(abc, []));
    learner.receive('a', append(2, last, []), 100);
    learner.peerLost('a', 110);
    expect(learner.deadlineMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([3, 5])('has a new leader of %s voters in a fraction of the election timeout', (size) => {
    const ids = ['a', 'b', 'c', 'd', 'e'].slice(0, size);
    const tookMs: number[] = [];
    for (let seed = 1; seed <= 60; seed += 1) {
      const cluster = new Cluster(seed, ids);
      const leader = cluster.leader();
      cluster.commit('before', leader, ids);
      cluster.crash(leader);
      cluster.hangUp(leader, 10);
      const beganMs = cluster.nowMs;
      cluster.leader();
      tookMs.push(cluster.nowMs - beganMs);
    }
    tookMs.sort((a, b) => a - b);
    expect(tookMs[30]).toBeLessThan(40);
    expect(tookMs[59]).toBeLessThan(250);
  });

  it('in which two stand at the same moment is decided by chance, not by the election timeout', () => {
    let ties = 0;
    for (let seed = 1; seed <= 30; seed += 1) {
      const cluster = new Cluster(seed, abc);
      const leader = cluster.leader();
      cluster.crash(leader);
      // A connection closes behind what came over it.
      cluster.run(2);
      const [first, second] = abc
        .filter((id) => id !== leader)
        .sort((x, y) => failoverRank(leader, abc, x) - failoverRank(leader, abc, y));
      cluster.on(second as string, (raft, now) => raft.peerLost(leader, now));
      cluster.run(defaultOptions.fastElectionStaggerMs - 0.1);
      cluster.on(first as string, (raft, now) => raft.peerLost(leader, now));
      const beganMs = cluster.nowMs;
      const both = (): boolean => [first, second].every((id) => cluster.node(id as string).role === 'candidate');
      if (cluster.until(both, 5)) ties += 1;
      cluster.leader();
      expect(cluster.nowMs - beganMs).toBeLessThan(defaultOptions.electionTimeoutMsMin);
    }
    expect(ties).toBeGreaterThan(10);
  });

  it('does not depose a leader that only one voter lost sight of', () => {
    const cluster = new Cluster(8, abc);
    const leader = cluster.leader();
    const term = cluster.node(leader).term;
    const other = abc.find((id) => id !== leader) as string;
    cluster.on(other, (raft, now) => raft.peerLost(leader, now));
    cluster.run(3_000);
    expect([cluster.leader(), cluster.node(leader).term]).toEqual([leader, term]);
  });
});
