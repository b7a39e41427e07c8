import { describe, expect, it } from 'vitest';
import { Raft, type RaftMessage } from '../../consensus/raft.ts';
import { append, logOf, settle, single, voteRequest } from './single.ts';

const abc = ['a', 'b', 'c'];
const log = logOf(abc, []);
const command = { index: 2, term: 1, kind: 1, data: Buffer.from('x') };

function bent(message: RaftMessage, body: object): RaftMessage {
  return { type: message.type, body: { ...message.body, ...body } } as never;
}

describe('a message', () => {
  const request = append(1, log[0], [command]);
  it.each<[string, string, RaftMessage]>([
    ['a term that is no number', 'b', bent(request, { term: Number.NaN })],
    ['a term below zero', 'b', bent(voteRequest(2, log[0]), { term: -1 })],
    ['a term too large to count', 'b', bent(voteRequest(2, log[0]), { term: 2 ** 53 })],
    ['no flag where one belongs', 'b', bent(voteRequest(2, log[0]), { pre: undefined })],
    ['a gap in its entries', 'b', bent(request, { entries: [{ ...command, index: 3 }] })],
    ['an entry of a term above its own', 'b', bent(request, { entries: [{ ...command, term: 2 }] })],
    ['terms that fall', 'b', bent(request, { term: 3, previousTerm: 2 })],
    ['a previous term without an index', 'b', bent(request, { previousIndex: 0 })],
    ['entries of an unknown kind', 'b', bent(request, { entries: [{ ...command, kind: 9 }] })],
    ['a configuration that is none', 'b', bent(request, { entries: [{ ...command, kind: 2 }] })],
    ['an entry without data', 'b', bent(request, { entries: [{ ...command, data: 'text' }] })],
    ['more entries than one may have', 'b', bent(request, { entries: Array.from({ length: 1025 }, () => command) })],
    ['no entry among its entries', 'b', bent(request, { entries: [null] })],
    ['no learner among its learners', 'b', { type: 'relayReport', body: { term: 1, children: [null] } } as never],
    ['no learners', 'b', { type: 'relayReport', body: { term: 1, children: 5 } } as never],
    ['an unknown type', 'b', { type: 'toString', body: {} } as never],
    ['no body', 'b', { type: 'voteReply', body: undefined } as never],
    ['its receiver as sender', 'a', request],
    ['no sender', '', request],
  ])('with %s is dropped and counted', (_, from, message) => {
    const raft = single('a', log);
    raft.receive(from, message, 1);
    const output = settle(raft);
    expect(raft.rejected).toBe(1);
    expect([output.early, output.late, output.persist]).toEqual([[], [], undefined]);
    expect([raft.term, raft.lastIndex, raft.leader]).toEqual([1, 1, '']);
  });

  it('from a second leader of one term is dropped', () => {
    const raft = single('a', log);
    raft.receive('b', append(2, log[0], []), 1);
    raft.receive('c', append(2, log[0], []), 2);
    expect([raft.leader, raft.rejected]).toEqual(['b', 1]);
  });
});

describe('a stored state', () => {
  const start = (term: number, entries = log): Raft =>
    new Raft({ id: 'a', hardState: { term, vote: '' }, entries, random: () => 0, nowMs: 0 });

  it('with a gap, or with entries of a term not reached yet, is not started from', () => {
    expect(() => start(1, [{ ...command, index: 2 }])).toThrow(/cannot be used/);
    expect(() => start(1, [...log, { ...command, index: 3 }])).toThrow(/cannot be used/);
    expect(() => start(0)).toThrow(/cannot be used/);
    expect(() => start(-1, [])).toThrow(/cannot be used/);
    expect(start(1).lastIndex).toBe(1);
  });

  it('is not started from with options that cannot work', () => {
    const init = { id: 'a', hardState: { term: 1, vote: '' }, entries: log, random: () => 0, nowMs: 0 };
    for (const options of [
      { heartbeatIntervalMs: 0 },
      { heartbeatIntervalMs: 600 },
      { electionTimeoutMsMin: 1200 },
      { entriesPerMessageMax: 0 },
      { entriesPerMessageMax: 1025 },
      { backlogEntriesMax: 1.5 },
      { fastElectionRetryMs: 0 },
    ]) {
      expect(() => new Raft({ ...init, options })).toThrow(RangeError);
    }
  });

  it('of a founder needs a configuration that can run', () => {
    expect(() => Raft.bootstrapEntries({ voters: [], learners: [] })).toThrow(/at least one voter/);
  });
});
