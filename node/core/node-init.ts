import type { NodeId, Profile } from './message.ts';
import type { Settings } from './settings.ts';

/** Time as the host stamps it on an event. */
export interface Instant {
  /** Monotonic, ms, origin arbitrary. */
  nowMs: number;
  /** Wall clock, ms since 1970: for people and the audit trail, never for decisions. */
  wallMs: number;
}

export interface NodeInit {
  id: NodeId;
  /** Names this start of the process, as no other start of any node is named. */
  start: string;
  profile: Profile;
  /** What the store holds, as loaded at start. */
  records: ReadonlyMap<string, Uint8Array>;
  /** Addresses to join through: multiaddrs. */
  join: string[];
  /** How many founding members a new cluster waits for; 0: join an existing cluster only. */
  expect: number;
  /** Seeded generator, [0, 1). */
  random: () => number;
  /** Time of the start. */
  at: Instant;
  settings?: Partial<Settings>;
}
