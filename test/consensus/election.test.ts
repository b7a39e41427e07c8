import { describe, expect, it } from 'vitest';
import { Raft } from '../../consensus/raft.ts';
import { Cluster } from './cluster.ts';
import { append, elect, logOf, saidTo, settle, single, success, voteRequest } from './single.ts';

const abc = ['a', 'b', 'c'];
const last = logOf(abc, []).at(-1);

describe('an election', () => {
  it('begins with asking whether votes would be given, and raises no term by that', () => {
    const raft = single('a', logOf(abc, []));
    raft.tick(raft.deadlineMs());
    const output = raft.takeOutput();
    expect(raft.role).toBe('preCandidate');
    expect(raft.term).toBe(1);
    expect(output.persist).toBeUndefined();
    expect(output.early.map(({ to }) => to)).toEqual(['b', 'c']);
    expect(saidTo(output, 'b', 'voteRequest')).toMatchObject([{ pre: true, term: 2 }]);
  });

  it('asks for votes only when its own vote is on disk', () => {
    const raft = single('a', logOf(abc, []));
    raft.tick(raft.deadlineMs());
    raft.takeOutput();
    raft.receive('b', { type: 'voteReply', body: { term: 2, pre: true, granted: true } }, 1300);
    const output = raft.takeOutput();
    expect(output.persist?.hardState).toEqual({ term: 2, vote: 'a' });
    expect(output.early).toEqual([]);
    expect(output.late.map(({ message }) => message.type)).toEqual(['voteRequest', 'voteRequest']);
  });

  it('is not won by an own vote that is not on disk yet', () => {
    const raft = single('a', logOf(['a'], []));
    expect(raft.deadlineMs()).toBe(0);
    raft.tick(0);
    const output = raft.takeOutput();
    expect(raft.role).toBe('candidate');
    raft.durable(output.persist ?? { entries: [] });
    expect(raft.role).toBe('leader');
  });

  it('is over when a leader of the same term is heard', () => {
    const raft = single('a', logOf(abc, []));
    raft.tick(raft.deadlineMs());
    raft.takeOutput();
    raft.receive('b', { type: 'voteReply', body: { term: 2, pre: true, granted: true } }, 1300);
    raft.receive('c', append(2, last, []), 1301);
    expect([raft.role, raft.leader, raft.term]).toEqual(['follower', 'c', 2]);
  });

  it('does not count votes of another term, of another kind, or of who is no voter', () => {
    const raft = single('a', logOf(abc, []));
    raft.tick(raft.deadlineMs());
    raft.receive('b', { type: 'voteReply', body: { term: 2, pre: true, granted: true } }, 1300);
    settle(raft);
    raft.receive('x', { type: 'voteReply', body: { term: 2, pre: false, granted: true } }, 1300);
    raft.receive('b', { type: 'voteReply', body: { term: 1, pre: false, granted: true } }, 1300);
    raft.receive('b', { type: 'voteReply', body: { term: 2, pre: true, granted: true } }, 1300);
    expect(raft.role).toBe('candidate');
    raft.receive('b', { type: 'voteReply', body: { term: 2, pre: false, granted: true } }, 1300);
    expect(raft.role).toBe('leader');
  });

  it('is never begun by a node whose log holds no configuration, which still votes and follows', () => {
    const raft = single('x', []);
    expect(raft.deadlineMs()).toBe(Number.POSITIVE_INFINITY);
    raft.tick(100_000);
    expect(raft.role).toBe('follower');
    raft.receive('a', voteRequest(5, last), 100_000);
    expect(saidTo(settle(raft), 'a', 'voteReply')).toEqual([{ term: 5, pre: false, granted: true }]);
    raft.receive('a', append(5, undefined, logOf(abc, [])), 100_001);
    expect(saidTo(settle(raft), 'a', 'appendReply')).toMatchObject([{ success: true, matchIndex: 1 }]);
    expect(raft.configuration().voters).toEqual(abc);
  });
});

describe('a voter', () => {
  it('gives one vote per term, and says so only after it is on disk', () => {
    const raft = single('a', logOf(abc, []));
    raft.receive('b', voteRequest(2, last), 0);
    raft.receive('c', voteRequest(2, last), 0);
    const output = raft.takeOutput();
    expect(output.early).toEqual([]);
    expect(output.persist?.hardState).toEqual({ term: 2, vote: 'b' });
    expect(saidTo(output, 'b', 'voteReply')[0]?.granted).toBe(true);
    expect(saidTo(output, 'c', 'voteReply')[0]?.granted).toBe(false);
  });

  it('keeps to its vote after a restart', () => {
    const hardState = { term: 2, vote: 'b' };
    const raft = new Raft({ id: 'a', hardState, entries: logOf(abc, []), random: () => 0, nowMs: 0 });
    raft.receive('c', voteRequest(2, last), 0);
    raft.receive('b', voteRequest(2, last), 0);
    const output = settle(raft);
    expect(saidTo(output, 'c', 'voteReply')[0]?.granted).toBe(false);
    expect(saidTo(output, 'b', 'voteReply')[0]?.granted).toBe(true);
  });

  it('refuses a candidate whose log lacks what may be committed', () => {
    const raft = single('a', logOf(abc, [1, 2]));
    raft.receive('b', voteRequest(3, logOf(abc, [1, 1, 1]).at(-1)), 0);
    raft.receive('c', voteRequest(4, logOf(abc, [1, 2]).at(-1)), 0);
    const output = settle(raft);
    expect(saidTo(output, 'b', 'voteReply')[0]?.granted).toBe(false);
    expect(saidTo(output, 'c', 'voteReply')[0]?.granted).toBe(true);
  });

  it.each([true, false])('holds on to a leader that it hears, whoever asks (pre-vote: %s)', (pre) => {
    const raft = single('a', logOf(abc, []));
    raft.receive('b', append(2, last, []), 100);
    settle(raft);
    raft.receive('stranger', voteRequest(9, last, { pre }), 699);
    expect(saidTo(settle(raft), 'stranger', 'voteReply')[0]?.granted).toBe(false);
    expect([raft.term, raft.leader]).toEqual([2, 'b']);
    raft.receive('c', voteRequest(9, last, { pre }), 700);
    expect(saidTo(settle(raft), 'c', 'voteReply')[0]?.granted).toBe(true);
  });

  it('lets go of its leader when that leader asked for it', () => {
    const raft = single('a', logOf(abc, []));
    raft.receive('b', append(2, last, []), 100);
    raft.receive('c', voteRequest(3, last, { transfer: true }), 101);
    expect(saidTo(settle(raft), 'c', 'voteReply')[0]?.granted).toBe(true);
  });

  it('that slept long begins with a pre-vote and follows its leader when that is alive', () => {
    const cluster = new Cluster(1, abc);
    const leader = cluster.leader();
    const term = cluster.node(leader).term;
    const sleeper = cluster.ids.find((id) => id !== leader) as string;
    cluster.pause(sleeper);
    cluster.run(20_000);
    cluster.resume(sleeper);
    cluster.run(3_000);
    expect(cluster.leader()).toBe(leader);
    expect(cluster.node(leader).term).toBe(term);
  });
});

describe('a leader', () => {
  it('steps down when no majority has answered for an election timeout', () => {
    const cluster = new Cluster(2, abc);
    const leader = cluster.leader();
    cluster.partition(
      [leader],
      abc.filter((id) => id !== leader),
    );
    cluster.run(1150);
    expect(cluster.node(leader).role).toBe('leader');
    cluster.run(100);
    expect(cluster.node(leader).role).not.toBe('leader');
    expect(cluster.node(leader).hearsQuorum(cluster.nowMs)).toBe(false);
  });

  it('that slept does not take old answers for new ones', () => {
    const raft = single('a', logOf(abc, []));
    const output = elect(raft, ['b']);
    raft.receive('b', success(output, 'b', 2), raft.deadlineMs());
    expect(raft.commitIndex).toBe(2);
    const sentMs = raft.deadlineMs();
    raft.tick(sentMs);
    const heartbeat = settle(raft);
    raft.receive('b', success(heartbeat, 'b', 2), sentMs + 1100);
    expect(raft.role).toBe('leader');
    expect(raft.progress().get('b')?.lastAckMs).toBe(sentMs);
    raft.receive('c', success(heartbeat, 'c', 2), sentMs + 1200);
    expect(raft.role).toBe('follower');
    expect(raft.propose(Buffer.from('x'), sentMs + 1200)).toEqual({ ok: false, reason: 'notLeader' });
  });

  it('that comes back from a partition with an older term does not stop the newer one', () => {
    const cluster = new Cluster(3, ['a', 'b', 'c', 'd', 'e']);
    const old = cluster.leader();
    const others = cluster.ids.filter((id) => id !== old);
    cluster.partition([old], others);
    cluster.run(3_000);
    const next = cluster.leader();
    const term = cluster.node(next).term;
    cluster.heal();
    cluster.run(3_000);
    expect([cluster.leader(), cluster.node(next).term]).toEqual([next, term]);
    expect(cluster.node(old).leader).toBe(next);
  });

  it('is not disturbed by a removed node that still stands for election', () => {
    const cluster = new Cluster(4, abc);
    const leader = cluster.leader();
    const removed = abc.find((id) => id !== leader) as string;
    const term = cluster.node(leader).term;
    cluster.change({ voters: abc.filter((id) => id !== removed), learners: [] });
    cluster.run(8_000);
    expect(cluster.takeSent().some(({ from, message }) => from === removed && message.type === 'voteRequest')).toBe(
      true,
    );
    expect([cluster.leader(), cluster.node(leader).term]).toEqual([leader, term]);
  });

  it('leads once no-op of its own term, which names it, is committed', () => {
    const raft = single('a', logOf(abc, []));
    const output = elect(raft, ['b']);
    expect(Buffer.from(raft.entry(2)?.data ?? []).toString()).toBe('a');
    expect(raft.readyToLead()).toBe(false);
    raft.receive('b', success(output, 'b', 2), 1300);
    expect(raft.readyToLead()).toBe(true);
  });
});

describe('handing over', () => {
  it('brings the target up to date first and loses less than an election timeout', () => {
    const cluster = new Cluster(5, abc);
    const leader = cluster.leader();
    const target = abc.find((id) => id !== leader) as string;
    for (let i = 0; i < 50; i += 1) cluster.on(leader, (raft, now) => raft.propose(Buffer.from(`${i}`), now));
    expect(cluster.on(leader, (raft, now) => raft.transferLeadership(target, now))).toBe(true);
    const refused = cluster.on(leader, (raft, now) => raft.propose(Buffer.from('no'), now));
    expect(refused).toEqual({ ok: false, reason: 'transferring' });
    const beganMs = cluster.nowMs;
    expect(cluster.until(() => cluster.node(target).readyToLead(), 500)).toBe(true);
    expect(cluster.nowMs - beganMs).toBeLessThan(50);
    expect(cluster.node(target).lastIndex).toBeGreaterThan(50);
  });

  it('is given up when the target does not take over, and proposals are taken again', () => {
    const cluster = new Cluster(6, abc);
    const leader = cluster.leader();
    const target = abc.find((id) => id !== leader) as string;
    cluster.commit('begin', leader);
    // It answered a moment ago, and nobody has told the leader yet.
    cluster.cut(leader, target);
    expect(cluster.on(leader, (raft, now) => raft.transferLeadership(target, now))).toBe(true);
    cluster.run(599);
    expect(cluster.on(leader, (raft, now) => raft.propose(Buffer.from('no'), now)).ok).toBe(false);
    cluster.run(2);
    expect(cluster.commit('yes', leader).data.toString()).toBe('yes');
  });

  it('goes to voters only, and not to the leader itself', () => {
    const raft = single('a', logOf(abc, []));
    expect(raft.transferLeadership('b', 0)).toBe(false);
    elect(raft, ['b']);
    expect(raft.transferLeadership('a', raft.deadlineMs())).toBe(false);
    expect(raft.transferLeadership('x', raft.deadlineMs())).toBe(false);
  });

  it('is not begun by a word from anybody but the present leader', () => {
    const raft = single('a', logOf(abc, []));
    raft.receive('b', append(2, last, []), 100);
    raft.receive('c', { type: 'transferLeadership', body: { term: 2 } }, 101);
    raft.receive('b', { type: 'transferLeadership', body: { term: 1 } }, 101);
    expect(raft.role).toBe('follower');
    raft.receive('b', { type: 'transferLeadership', body: { term: 2 } }, 101);
    expect([raft.role, raft.term]).toEqual(['candidate', 3]);
  });
});
