import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptAppend } from '../../../consensus/acceptance.ts';
import type { AppendReply, AppendRequest } from '../../../consensus/message.ts';
import { type Entry, Raft } from '../../../consensus/raft.ts';
import { Replication } from '../../../consensus/replication.ts';
import { State } from '../../../consensus/state.ts';
import { agreement, pairs, texts } from './histories.ts';

const root = Raft.bootstrapEntries({ voters: ['leader', 'follower'], learners: [] });

function stateOf(id: string, entries: Entry[], term: number): State {
  return new State({ id, hardState: { term, vote: '' }, entries, random: () => 0, nowMs: 0 });
}

/** What the leader asks next, if it asks anything. */
function nextRequest(state: State, replication: Replication): AppendRequest | undefined {
  replication.flush();
  const [first] = state.takeMessages().early;
  return first?.message.type === 'appendRequest' ? first.message.body : undefined;
}

function leading(entries: Entry[], term: number): { state: State; replication: Replication } {
  const state = stateOf('leader', entries, term);
  const replication = new Replication(state, () => state.nowMs);
  replication.matchMembers(() => 0);
  return { state, replication };
}

/** The paper's first way: one back for each refusal. It needs many questions and cannot miss. */
function searchSlowly(ours: readonly Entry[], theirs: readonly Entry[]): number {
  let previous = ours.length;
  while (previous > theirs.length || (previous > 0 && ours[previous - 1]?.term !== theirs[previous - 1]?.term)) {
    previous -= 1;
  }
  return previous;
}

describe('a leader that looks for the place where the logs agree', () => {
  it('never skips it, goes back with every refusal, finds it in a question per term, and ends with equal logs', () => {
    let refusals = 0;
    fc.assert(
      fc.property(pairs(root), ({ ours, theirs, term }) => {
        const { state, replication } = leading(ours, term);
        const follower = stateOf('follower', theirs, term);
        const agreed = searchSlowly(ours, theirs);
        expect(agreed).toBe(agreement(ours, theirs));
        const asked: number[] = [];
        while (asked.length < 50) {
          const request = nextRequest(state, replication);
          if (request === undefined) break;
          asked.push(request.previousIndex);
          const reply = acceptAppend(follower, request) as AppendReply;
          if (!reply.success) {
            refusals += 1;
            expect(request.previousIndex).toBeGreaterThan(agreed);
          }
          expect(replication.answered('follower', reply)).toBe(true);
          if (reply.success) break;
        }
        const terms = new Set([...ours, ...theirs].map((entry) => entry.term)).size;
        expect(asked.length).toBeLessThanOrEqual(terms + 1);
        expect(asked.every((previous, place) => previous >= agreed && previous < (asked[place - 1] ?? Infinity))).toBe(
          true,
        );
        const held = Array.from({ length: follower.log.lastIndex }, (_, place) => follower.log.entry(place + 1));
        expect(texts(held.slice(0, ours.length))).toEqual(texts(ours));
        expect(replication.progress.get('follower')?.matchIndex).toBe(ours.length);
      }),
      { numRuns: 500 },
    );
    expect(refusals).toBeGreaterThan(100);
  });

  it('goes back by one at least whatever a refusal says, and never before the beginning', () => {
    const refusal = fc.record({ conflictIndex: fc.nat(30), conflictTerm: fc.nat(9) });
    fc.assert(
      fc.property(pairs(root), fc.array(refusal, { minLength: 1, maxLength: 20 }), ({ ours, term }, refusals) => {
        const { state, replication } = leading(ours, term);
        let before = Number.POSITIVE_INFINITY;
        for (const said of refusals) {
          const request = nextRequest(state, replication);
          if (request === undefined) break;
          expect(request.previousIndex).toBeLessThan(before);
          expect(request.previousIndex).toBeGreaterThanOrEqual(0);
          before = request.previousIndex;
          if (before === 0) break;
          replication.answered('follower', { ...said, term, success: false, matchIndex: 0, round: request.round });
        }
      }),
      { numRuns: 300 },
    );
  });
});
