import type { Assignment } from './assignment.ts';
import { joined } from './bytes.ts';
import type { EffectOf } from './effect.ts';

/** Whether an agent runs in a thread of the node, which takes and tells large states piece by piece. */
export const isThread = ({ interpreter, container }: Pick<Assignment, 'interpreter' | 'container'>): boolean =>
  interpreter === undefined && container === undefined;

/**
 * Whether its state may have more than a line. What branches are made of goes in one message, so that of agents that go on
 * without a majority may not.
 */
export const mayBeLarge = (assignment: Assignment): boolean =>
  isThread(assignment) && assignment.partition !== 'autonomous' && assignment.branch === undefined;

/** The state that an instance is started from, as its runner is told it: whole, when that is no more than so many bytes. */
export function startedFrom(
  views: readonly Uint8Array[] | undefined,
  wholeBytesMax: number,
): Pick<EffectOf<'startAgent'>, 'state' | 'more'> {
  if (views === undefined) return { state: undefined };
  const bytes = views.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const [first, ...more] = views;
  return first === undefined || bytes <= wholeBytesMax ? { state: joined(views) } : { state: first, more };
}
