import { StateBytes } from '../node/core/state-bytes.ts';
import type { StateUpdate } from '../node/core/state-change.ts';

/** The state that a runner's word about a task leads to. */
export function stateAfter(before: Uint8Array, update: StateUpdate): Uint8Array {
  if (update instanceof Uint8Array) return update;
  return update === undefined ? before : StateBytes.of(before, 64).splice(update).bytes();
}
