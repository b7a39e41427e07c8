import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptAppend } from '../../../consensus/acceptance.ts';
import type { AppendReply, AppendRequest } from '../../../consensus/message.ts';
import type { Entry } from '../../../consensus/raft.ts';
import { State } from '../../../consensus/state.ts';
import { histories, texts } from './histories.ts';

const term = 99;

/** The receiver's rules as the paper's figure 2 puts them, rule by rule, over a plain array. */
class SlowFollower {
  log: Entry[];
  commitIndex = 0;

  constructor(log: readonly Entry[]) {
    this.log = [...log];
  }

  /** `undefined`: what is committed would have to go, so the request is no leader's. */
  receive(request: AppendRequest): AppendReply | undefined {
    const { previousIndex, previousTerm, entries, round } = request;
    const contradicts = [{ index: previousIndex, term: previousTerm }, ...entries].some(
      (entry) => entry.index <= this.commitIndex && entry.index > 0 && this.log[entry.index - 1]?.term !== entry.term,
    );
    if (contradicts) return undefined;
    const answer = { term, round, matchIndex: 0, conflictIndex: 0, conflictTerm: 0 };
    // 2. Reply false if log doesn't contain an entry at prevLogIndex whose term matches prevLogTerm.
    if (previousIndex > this.log.length) {
      return { ...answer, success: false, conflictIndex: this.log.length + 1 };
    }
    const present = this.log[previousIndex - 1]?.term ?? 0;
    if (present !== previousTerm) {
      const conflictIndex = this.log.findIndex((entry) => entry.term === present) + 1;
      return { ...answer, success: false, conflictIndex, conflictTerm: present };
    }
    for (const entry of entries) {
      const old = this.log[entry.index - 1];
      // 3. If an existing entry conflicts with a new one, delete the existing entry and all that follow it.
      if (old !== undefined && old.term !== entry.term) this.log = this.log.slice(0, entry.index - 1);
      // 4. Append any new entries not already in the log.
      if (this.log.length < entry.index) this.log.push(entry);
    }
    // 5. If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new entry).
    const matchIndex = previousIndex + entries.length;
    if (request.commitIndex > this.commitIndex) {
      this.commitIndex = Math.max(this.commitIndex, Math.min(request.commitIndex, matchIndex));
    }
    return { ...answer, success: true, matchIndex };
  }
}

/** A request out of one of the logs, from anywhere in it. */
function requestOf(log: readonly Entry[], [, start, length, commit]: number[], round: number): AppendRequest {
  const previousIndex = (start ?? 0) % (log.length + 1);
  const previousTerm = log[previousIndex - 1]?.term ?? 0;
  const entries = log.slice(previousIndex, previousIndex + ((length ?? 0) % 5));
  const commitIndex = (commit ?? 0) % (log.length + 1);
  return { term, previousIndex, previousTerm, entries, round, commitIndex, leader: '', ageMs: 0 };
}

describe('a follower that takes requests', () => {
  const draws = fc.array(fc.tuple(fc.nat(50), fc.nat(50), fc.nat(50), fc.nat(50)), { minLength: 1, maxLength: 12 });

  it('does and answers what the rules of the paper say, in whatever order they come and whoever sent them', () => {
    const seen = { accepted: 0, refused: 0, impossible: 0, cut: 0 };
    fc.assert(
      fc.property(histories(), fc.nat(50), draws, (logs, own, requests) => {
        const entries = logs[own % logs.length] ?? [];
        const state = new State({ id: 'a', hardState: { term, vote: '' }, entries, random: () => 0, nowMs: 0 });
        const slow = new SlowFollower(entries);
        for (const [round, draw] of requests.entries()) {
          const request = requestOf(logs[draw[0] % logs.length] ?? [], draw, round);
          const reply = acceptAppend(state, request);
          const lengthBefore = slow.log.length;
          expect(reply).toEqual(slow.receive(request));
          const held = Array.from({ length: state.log.lastIndex }, (_, place) => state.log.entry(place + 1));
          expect(texts(held)).toEqual(texts(slow.log));
          expect(state.commitIndex).toBe(slow.commitIndex);
          seen[reply === undefined ? 'impossible' : reply.success ? 'accepted' : 'refused'] += 1;
          if (slow.log.length < lengthBefore) seen.cut += 1;
        }
      }),
      { numRuns: 600 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
  });
});
