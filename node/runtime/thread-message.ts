import type { StateChange } from '../core/state-change.ts';
import { aheadBytes } from './ahead-bytes.ts';
import type { FromWorker } from './worker.ts';

const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;

/** What a thread said is an agent's to say, so its form is checked: an agent must not fail the node. */
export function checkedMessage(said: unknown): Exclude<FromWorker, { type: 'loaded' }> | undefined {
  if (typeof said !== 'object' || said === null) return undefined;
  const message = said as Record<string, unknown>;
  const { type, seat, task, ok, value, state, change, outputs, reason, bytes } = message;
  if (!Number.isSafeInteger(seat)) return undefined;
  const from = { seat: Number(seat) };
  if (type === 'left' || type === 'pong') return { type, ...from };
  if (type === 'ahead' && isBytes(bytes) && bytes.byteLength <= aheadBytes) return { type, ...from, bytes };
  if (type === 'failed' && typeof reason === 'string') return { type, ...from, reason };
  if (type === 'started' && (state === undefined || isBytes(state))) return { type, ...from, state };
  if (typeof task !== 'string' || !isBytes(value)) return undefined;
  if (type === 'progress') return { type, ...from, task, value };
  if (type !== 'ran' || typeof ok !== 'boolean' || !isChange(change)) return undefined;
  return outputs === undefined || isBytes(outputs) ? { type, ...from, task, ok, value, change, outputs } : undefined;
}

/** Whether it fits the state, the node finds out. */
function isChange(said: unknown): said is StateChange | undefined {
  if (said === undefined) return true;
  if (typeof said !== 'object' || said === null) return false;
  const { previousLength, offset, removed, inserted } = said as Record<string, unknown>;
  return [previousLength, offset, removed].every(Number.isSafeInteger) && isBytes(inserted);
}
