import type { NodeId, Profile } from './message.ts';
import type { Outbox } from './outbox.ts';
import type { Settings } from './settings.ts';

/** What every part of a node shares: who it is, what time it is, and where effects go. */
export interface Context {
  readonly self: NodeId;
  /** Number of this start of the process on this disk: 1, 2, … */
  readonly boot: number;
  /** Its name: where an older copy of the disk is put back, two starts have the same number. */
  readonly start: string;
  readonly profile: Profile;
  readonly settings: Settings;
  readonly out: Outbox;
  readonly random: () => number;
  /** Monotonic time of the event being handled, ms. */
  nowMs: number;
  /** Wall clock of the event being handled, ms since 1970: for people only. */
  wallMs: number;
}

/** Says something that only this node saw. */
export function reportLocally(
  context: Context,
  kind: string,
  text: string,
  details: Record<string, unknown> = {},
): void {
  context.out.report({ index: 0, atMs: context.wallMs, kind, text, details });
}
