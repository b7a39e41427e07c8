/** An agent that fails again and again; on its record until a start of it has held. */
export interface CrashLoop {
  /** Log index of the decision that first said so. */
  readonly since: number;
  /** The same as wall clock of the leader, ms since 1970; for people only. */
  readonly sinceMs: number;
  /** Failures in a row, at whatever hosts. */
  readonly failures: number;
  /** Of these, those before the placement of `epoch`. */
  readonly earlier: number;
  readonly epoch: number;
  /** Placements in a row that failed before that of `epoch`; older logs do not say. */
  readonly placements?: number | undefined;
  /** Of the last one. */
  readonly reason: string;
  /** When it is tried again, or was: wall clock of the leader, ms since 1970. */
  readonly nextMs: number;
}

/** The decisions about crash loops. `epoch`: of the placement that they speak of. */
export type CrashLoopCommand =
  | {
      kind: 'agentCrashLooping';
      agent: string;
      epoch: number;
      failures: number;
      earlier: number;
      placements?: number;
      reason: string;
      retryInMs: number;
    }
  | { kind: 'agentHealed'; agent: string; epoch: number };
