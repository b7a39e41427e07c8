import type { ErrorCode } from '../node/core/errors.ts';

/** Errors after which a user asks for the same under the same id again: it came to nothing, or nobody knows to what. */
export const retried: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'leaderUnknown',
  'notLeader',
  'notMember',
  'backlogFull',
  'deadlineExceeded',
  'outcomeUnknown',
  'agentNotReady',
]);
