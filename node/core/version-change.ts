import { firstVersion } from './mailbox.ts';
import type { TypeRuntime } from './type-capability.ts';

/** What a version of a type runs. */
export interface TypeCode extends TypeRuntime {
  source: string;
}

/** A version of a type's code beside the present one, kept as long as an agent or a rollout may need it. */
export interface TypeVersion extends TypeCode {
  version: number;
}

/** A start from a state that another version of the code wrote. */
export interface VersionChange {
  /** The version that wrote the state. */
  from: number;
  /** The version that is started. */
  to: number;
  /** The code of `from`, where that is the newer one: it alone knows the way back. */
  newer?: TypeCode | undefined;
}

/** How an agent's code is started from what a version wrote; undefined: as it is. */
export function changeFor(
  {
    version: to = firstVersion,
    codeOf,
  }: { version?: number | undefined; codeOf?(version: number): TypeCode | undefined },
  from: number,
): VersionChange | undefined {
  if (from === to) return undefined;
  return from > to ? { from, to, newer: codeOf?.(from) } : { from, to };
}

/** Which versions of its code a state goes from and to. */
export type Versions = Pick<VersionChange, 'from' | 'to'>;

/** How the reason begins of a start that failed because the state cannot be brought back to an older version. */
export const noWayBack = 'there is no way back';
