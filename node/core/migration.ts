import type { Decision } from '../../strategies/strategy.ts';
import type { NodeId } from './message.ts';

/**
 * A planned move of an agent that goes on where it is: its target is prepared first, then the placement changes. It is on
 * the agent's record until the agent answers at its target, or the move has ended without that.
 */
export interface Migration {
  /** Log index of the decision that began it: names it. */
  readonly since: number;
  /** The same as wall clock of the leader, ms since 1970; for people only. */
  readonly sinceMs: number;
  readonly target: NodeId;
  /** The start of the target that was meant: another one knows nothing of the preparation. */
  readonly boot: number;
  readonly reason: string;
  /** Bytes of the state that the target has; undefined until it is prepared. */
  readonly preparedBytes: number | undefined;
  /** The epoch of the target's placement; undefined until the agent was switched over. From there on it cannot be cancelled. */
  readonly epoch: number | undefined;
  /** It stays where it is, and is to run that version of its code. */
  readonly version?: number | undefined;
  /** Why this target, as it was seen when the move began; older logs have none. */
  readonly decision?: Decision | undefined;
}

/** How the last migration of an agent ended that did not bring it to its target. */
export interface MigrationEnd {
  readonly since: number;
  readonly cancelled: boolean;
  readonly reason: string;
}

/** The decisions about migrations; the switch itself is an `agentPlace` that names the migration. */
export type MigrationCommand =
  | {
      kind: 'migrationBegin';
      agent: string;
      /** The epoch that the proposer saw: if another decision came first, this one is void. */
      after: number;
      target: NodeId;
      boot: number;
      reason: string;
      version?: number | undefined;
      decision?: Decision | undefined;
    }
  | { kind: 'migrationPrepared'; agent: string; since: number; bytes: number }
  /** `blame`: what was to run it could not be made ready. */
  | { kind: 'migrationFail'; agent: string; since: number; reason: string; blame?: boolean | undefined }
  | { kind: 'migrationCancel'; agent: string };

/** A migration under way, for people and programs. */
export interface MigrationView {
  /** `preparing`: the agent answers where it is; `switching`: its tasks wait until it answers at the target. */
  phase: 'preparing' | 'switching';
  target: NodeId;
  targetName: string | undefined;
  reason: string;
  /** Log index of the decision, and the leader's wall clock then, ms since 1970. */
  since: number;
  sinceMs: number;
  /** Bytes of the state that the target has, of so many in all; undefined where this node does not know. */
  bytesCopied: number | undefined;
  bytes: number | undefined;
  /** The task that has to end first; undefined where that is not known, or something else is waited for. */
  waitsForTask?: string | undefined;
}
