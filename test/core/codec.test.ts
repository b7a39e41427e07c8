import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConclaveError } from '../../node/core/errors.ts';
import type { Message } from '../../node/core/message.ts';
import { decode, encode, frameBytesMax, wireVersion } from '../../node/core/wire/codec.ts';
import { Envelope } from '../../node/core/wire/messages.ts';

const probe: Message = { type: 'probe', body: { sequence: 7 } };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('the wire codec', () => {
  test('brings a message over with the cluster it belongs to', () => {
    const message: Message = {
      type: 'replicate',
      body: {
        agent: 'trading-1',
        epoch: 12,
        sequence: 3,
        previousEpoch: 12,
        previousSequence: 2,
        full: false,
        state: bytes('{}'),
        changes: [{ previousLength: 2, offset: 1, removed: 0, inserted: bytes('"a":1') }],
        checksum: 7,
        resultsFrom: 2,
        results: [{ task: 't1', sequence: 3, ok: true, value: bytes('1'), valueDropped: false }],
      },
    };
    expect(decode(encode('c.1', message))).toEqual({ cluster: 'c.1', message });
  });

  test('refuses another version, no message, and two at once', () => {
    const bad = [
      Envelope.encode({ version: wireVersion + 1, cluster: '', probe: { sequence: 1 } }),
      Envelope.encode({ version: wireVersion, cluster: '' }),
      Envelope.encode({ version: wireVersion, cluster: '', probe: { sequence: 1 }, digest: { hash: 1 } }),
      Envelope.encode({
        version: wireVersion,
        cluster: '',
        hello: { boot: 1, known: [], wants: false, incarnation: 0 },
      }),
    ];
    for (const frame of bad) expect(() => decode(frame)).toThrow(/A message was dropped.*State unchanged/);
  });

  test('refuses a frame above the cap before it decodes it, and makes none', () => {
    expect(() => decode(new Uint8Array(frameBytesMax + 1))).toThrow(/at most/);
    const taskAsk = { task: 't', agent: 'a', ttlMs: 1, priority: 5, key: '', retry: '', progress: false };
    const large: Message = {
      type: 'taskAsk',
      body: { ...taskAsk, payload: new Uint8Array(frameBytesMax) },
    };
    expect(() => encode('', large)).toThrow(/was not sent/);
  });

  test('refuses more of a repeated field than its limit', () => {
    const entry = { index: 1, term: 1, kind: 1, data: new Uint8Array(0) };
    const request = { term: 1, previousIndex: 0, previousTerm: 0, commitIndex: 0, round: 1, leader: '', ageMs: 0 };
    const encoded = (count: number) =>
      encode('', { type: 'appendRequest', body: { ...request, entries: Array(count).fill(entry) } });
    expect(decode(encoded(1_024)).message.type).toBe('appendRequest');
    expect(() => decode(encoded(1_025))).toThrow(/too many/);
  });

  test('refuses names longer than any name', () => {
    expect(() => decode(encode('x'.repeat(200), probe))).toThrow(/characters/);
  });

  test('meets any bytes with an error of the table, and nothing else', () => {
    const frame = encode('c', probe);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(frame.length), (noise, cut) => {
        for (const input of [noise, new Uint8Array([...frame.subarray(0, cut), ...noise])]) {
          try {
            decode(input);
          } catch (error) {
            expect(error).toBeInstanceOf(ConclaveError);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
