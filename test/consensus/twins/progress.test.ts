import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Progress } from '../../../consensus/progress.ts';

const requestsMax = 3;
const heartbeatsMax = 4;
/** One for each entry here. */
const bytesMax = 6;

interface Request {
  round: number;
  sentMs: number;
  previousIndex: number;
  lastIndex: number;
  isOpen: boolean;
}

/** Every request that was ever made, and a mark on those that are still waited for. */
class SlowProgress {
  requests: Request[] = [];
  isProbe = true;
  matchIndex = 0;
  nextIndex = 1;
  lastAckMs = 0;

  open(isLoaded: boolean): Request[] {
    return this.requests.filter(
      ({ isOpen, previousIndex, lastIndex }) => isOpen && isLoaded === lastIndex > previousIndex,
    );
  }

  maySend(): boolean {
    if (this.isProbe) return this.requests.every(({ isOpen }) => !isOpen);
    const open = this.open(true);
    const bytes = open.reduce((sum, { previousIndex, lastIndex }) => sum + lastIndex - previousIndex, 0);
    return open.length < requestsMax && bytes < bytesMax;
  }

  send(request: Request): void {
    const [oldest] = this.open(false);
    const isHeartbeat = request.lastIndex === request.previousIndex;
    if (isHeartbeat && oldest && this.open(false).length === heartbeatsMax) oldest.isOpen = false;
    this.requests.push(request);
    if (!this.isProbe && request.lastIndex >= this.nextIndex) this.nextIndex = request.lastIndex + 1;
  }

  answer(round: number): { round: number; earlier: number[] } | undefined {
    const request = this.requests.find((one) => one.round === round);
    if (!request?.isOpen) return undefined;
    const earlier: number[] = [];
    for (const one of this.requests) {
      if (one.isOpen && one.round < round) earlier.push(one.round);
      if (one.round <= round) one.isOpen = false;
    }
    if (request.sentMs > this.lastAckMs) this.lastAckMs = request.sentMs;
    return { round, earlier };
  }

  match(index: number): void {
    if (index > this.matchIndex) this.matchIndex = index;
    if (this.nextIndex <= this.matchIndex) this.nextIndex = this.matchIndex + 1;
  }

  restart(isProbe: boolean, nextIndex: number): void {
    this.isProbe = isProbe;
    this.nextIndex = nextIndex > this.matchIndex ? nextIndex : this.matchIndex + 1;
    for (const request of this.requests) request.isOpen = false;
  }
}

const limits = {
  messagesInFlightMax: requestsMax,
  bytesInFlightMax: bytesMax,
  heartbeatsInFlightMax: heartbeatsMax,
};

type Act = 'send' | 'heartbeat' | 'answer' | 'match' | 'stream' | 'probe';
const acts: Act[] = ['send', 'send', 'send', 'heartbeat', 'heartbeat', 'answer', 'answer', 'match', 'stream', 'probe'];

/** Does the same to both. */
function act(fast: Progress, slow: SlowProgress, what: Act, draw: number, round: number): void {
  const previousIndex = what === 'heartbeat' ? fast.matchIndex : fast.nextIndex - 1;
  const lastIndex = what === 'heartbeat' ? previousIndex : previousIndex + 1 + (draw % 3);
  const bytes = lastIndex - previousIndex;
  const request = { round, sentMs: round * 10, previousIndex, lastIndex, bytes, isVerified: false };
  if (what === 'send' || what === 'heartbeat') {
    if (what === 'send' && !fast.maySend) return;
    fast.sent(request);
    slow.send({ ...request, isOpen: true });
  } else if (what === 'answer') {
    const answered = draw % (round + 1);
    const result = fast.answered(answered);
    const told = result && { round: result.flight.round, earlier: result.earlier.map((flight) => flight.round) };
    expect(told).toEqual(slow.answer(answered));
  } else if (what === 'match') {
    fast.matched(draw % 12);
    slow.match(draw % 12);
  } else if (what === 'stream') {
    fast.replicate();
    slow.restart(false, 0);
  } else {
    fast.probeFrom(draw % 12);
    slow.restart(true, draw % 12);
  }
}

describe('what a leader keeps of a follower', () => {
  it('is what follows from a list of every request that it ever made', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(...acts), fc.nat(60)), { maxLength: 60, size: 'max' });
    let full = 0;
    fc.assert(
      fc.property(steps, (drawn) => {
        const fast = new Progress(1, 0, limits);
        const slow = new SlowProgress();
        for (const [round, [what, draw]] of drawn.entries()) {
          const before = { matchIndex: fast.matchIndex, lastAckMs: fast.lastAckMs };
          act(fast, slow, what, draw, round);
          const { matchIndex, nextIndex, lastAckMs, maySend, state } = fast;
          const isProbe = state === 'probe';
          expect({ matchIndex, nextIndex, lastAckMs, maySend: slow.maySend(), isProbe }).toEqual({
            matchIndex: slow.matchIndex,
            nextIndex: slow.nextIndex,
            lastAckMs: slow.lastAckMs,
            maySend,
            isProbe: slow.isProbe,
          });
          // Whatever happens: the next is behind what matches, what is known is not forgotten, limits are kept.
          expect(nextIndex).toBeGreaterThan(matchIndex);
          expect(matchIndex).toBeGreaterThanOrEqual(before.matchIndex);
          expect(lastAckMs).toBeGreaterThanOrEqual(before.lastAckMs);
          expect(slow.open(true).length).toBeLessThanOrEqual(requestsMax);
          if (slow.open(true).length === requestsMax) full += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(full).toBeGreaterThan(10);
  });
});
