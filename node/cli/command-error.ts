import type { ErrorBody } from '../core/errors.ts';

/** The cluster said no, in its own words. */
export class CallRefused extends Error {
  readonly body: ErrorBody;
  /** HTTP status. */
  readonly status: number;

  constructor(body: ErrorBody, status: number) {
    super(body.message);
    this.body = body;
    this.status = status;
  }
}

/** No node of the cluster answered in time. */
export class ClusterUnreachable extends Error {
  override readonly name = 'ClusterUnreachable';
}

/** The command was given something that it cannot use; nothing was asked of the cluster. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command looked and said no, or failed on the way: its message says what is changed. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused';
}
