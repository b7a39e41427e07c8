import { expect, test } from 'vitest';
import { errors, toErrorBody } from '../../node/core/errors.ts';
import type { Operation, Outcome } from '../../node/core/operation.ts';
import { decodeOutcome, encodeOutcome, tooLargeToTell } from '../../node/core/outcome-codec.ts';
import { limits } from '../../node/core/settings.ts';
import { frameBytesMax } from '../../node/core/wire/codec.ts';

const codeOf = (outcome: Outcome): string => (outcome.ok ? 'ok' : outcome.error.code);

test('an outcome comes out as it went in, with its bytes and how old it is', () => {
  const outcomes: Outcome[] = [
    { ok: true, result: { key: 'a', value: Uint8Array.of(0, 255), index: 7 }, asOf: { index: 9, ageMs: 3 } },
    { ok: false, error: toErrorBody(errors.keyUnknown({ key: 'a' })) },
  ];
  for (const outcome of outcomes) expect(decodeOutcome(encodeOutcome(outcome))).toEqual(outcome);
});

test('of an outcome that is too large it is said that it cannot be told, and never that a command failed', () => {
  const put: Operation = { type: 'kvPut', key: 'a', value: new Uint8Array(1) };
  expect(codeOf(tooLargeToTell({ type: 'agents', consistency: 'leader' }))).toBe('answerTooLarge');
  expect(codeOf(tooLargeToTell({ type: 'delete', agent: 'x' }))).toBe('outcomeUnknown');
  expect(codeOf(tooLargeToTell(put))).toBe('outcomeUnknown');
  expect(encodeOutcome(tooLargeToTell(put)).byteLength).toBeLessThan(limits.answerBytesMax);
  expect(limits.answerBytesMax).toBeLessThan(frameBytesMax);
});
