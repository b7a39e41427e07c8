import { errors, toErrorBody } from './errors.ts';
import type { Operation, Outcome } from './operation.ts';
import { isQuery } from './queries.ts';
import { limits } from './settings.ts';
import { fromBytes, fromJson, toBytes, toJson } from './text.ts';

/** An outcome as it travels to the node that was asked. */
export function encodeOutcome(outcome: Outcome): Uint8Array {
  return toBytes(toJson(outcome));
}

/** The reverse; undefined for bytes that are no outcome. */
export function decodeOutcome(bytes: Uint8Array): Outcome | undefined {
  let said: unknown;
  try {
    said = fromJson(fromBytes(bytes));
  } catch {
    return undefined;
  }
  if (typeof said !== 'object' || said === null) return undefined;
  const { ok, result, error } = said as { ok?: unknown; result?: unknown; error?: Record<string, unknown> };
  if (ok === true) return typeof result === 'object' && result !== null ? (said as Outcome) : undefined;
  const isError = typeof error?.['code'] === 'string' && typeof error['message'] === 'string';
  return ok === false && isError ? (said as Outcome) : undefined;
}

/** What is said instead of an outcome that does not fit a frame. What was done is done: of that it is not said that it failed. */
export function tooLargeToTell(operation: Operation): Outcome {
  const error = isQuery(operation)
    ? errors.answerTooLarge({ bytesMax: limits.answerBytesMax })
    : errors.outcomeUnknown({ what: `${operation.type} command` });
  return { ok: false, error: toErrorBody(error) };
}
