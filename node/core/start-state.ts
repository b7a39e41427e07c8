import type { Assignment } from './assignment.ts';
import { joined } from './bytes.ts';
import type { EffectOf } from './effect.ts';

/** Whether an agent runs in a thread of the node, which takes and tells large states piece by piece. */
export const isThread = ({ interpreter, container }: Pick<Assignment, 'interpreter' | 'container'>): boolean =>
  interpreter === undefined && container === undefined;

/** The state that an instance is started from, as its runner is told it. */
export function startedFrom(
  pieces: readonly Uint8Array[] | undefined,
  inPieces: boolean,
): Pick<EffectOf<'startAgent'>, 'state' | 'more'> {
  const [first, ...more] = pieces ?? [];
  if (first === undefined || more.length === 0) return { state: first };
  return inPieces ? { state: first, more } : { state: joined([first, ...more]) };
}
