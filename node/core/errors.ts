/**
 * Every error that a user, an operator or a peer can meet: one table, one place.
 * `docs/errors.md` lists the same codes; a test compares the two.
 */
export interface ErrorDefinition<D> {
  /** HTTP status of the answer; 0 for errors that never reach HTTP. */
  status: number;
  /** Says what was wrong, what it leaves unchanged, and what to do next. */
  text: (details: D) => string;
}

export interface Refusal {
  node: string;
  name: string;
  reason: string;
}

const define = <D>(status: number, text: (details: D) => string): ErrorDefinition<D> => ({ status, text });

const definitions = {
  // who asks
  tokenMissing: define<Record<string, never>>(
    401,
    () => 'No bearer token. Nothing was changed. Send "Authorization: Bearer $(conclave token)".',
  ),
  tokenInvalid: define<{ reason: string }>(
    401,
    (d) => `The bearer token is not valid: ${d.reason}. Nothing was changed. Get a new one with "conclave token".`,
  ),
  // what is asked
  routeUnknown: define<{ method: string; path: string }>(
    404,
    (d) => `There is no ${d.method} ${d.path}. Nothing was changed. docs/api.md lists the routes.`,
  ),
  bodyMalformed: define<{ reason: string }>(
    400,
    (d) => `The request cannot be read: ${d.reason}. Nothing was changed. Correct it and send it again.`,
  ),
  requestIncomplete: define<{ withinMs: number }>(
    408,
    (d) => `No whole request came over this connection within ${d.withinMs} ms. Nothing was changed. Send it again.`,
  ),
  bodyTooLarge: define<{ what: string; bytesMax: number }>(
    413,
    (d) => `The ${d.what} is larger than ${d.bytesMax} bytes. Nothing was changed. Send less at a time.`,
  ),
  answerTooLarge: define<{ bytesMax: number }>(
    422,
    (d) =>
      `The answer has more than ${d.bytesMax} bytes and does not travel between nodes. Nothing was changed. ` +
      'Ask the leader itself (header x-conclave-leader), or read with "consistency=stale".',
  ),
  stateTooLargeToTell: define<{ agent: string; bytes: number; bytesMax: number }>(
    422,
    (d) =>
      `The state of agent "${d.agent}" has ${d.bytes} bytes, and an answer has at most ${d.bytesMax}. Nothing was changed. ` +
      'Give the agent a task that answers the part which you look for.',
  ),
  agentUnknown: define<{ agent: string }>(
    404,
    (d) => `There is no agent "${d.agent}". Nothing was changed. "conclave status" lists the agents.`,
  ),
  agentExists: define<{ agent: string }>(
    409,
    (d) => `There is already an agent "${d.agent}". Nothing was changed. Choose another name or delete that one.`,
  ),
  agentsTooMany: define<{ agentsMax: number }>(
    409,
    (d) => `The cluster has its most agents (${d.agentsMax}). Nothing was changed. Delete some first.`,
  ),
  typeUnknown: define<{ type: string }>(
    404,
    (d) =>
      `There is no agent type "${d.type}". Nothing was changed. Deploy it from its folder: "conclave deploy <folder>".`,
  ),
  typeUpgrading: define<{ type: string }>(
    409,
    (d) =>
      `Another version of type "${d.type}" is being rolled out. Nothing was changed. ` +
      `"conclave type ${d.type}" shows how far it is; wait for its end, or "conclave upgrade ${d.type} --cancel".`,
  ),
  typeUnchanged: define<{ type: string; version: number }>(
    409,
    (d) =>
      `All agents of type "${d.type}" run that code, version ${d.version}. Nothing was changed. Change the code first.`,
  ),
  rolloutUnknown: define<{ type: string }>(
    409,
    (d) =>
      `No version of type "${d.type}" is being rolled out that could be taken back. Nothing was changed. ` +
      `"conclave type ${d.type}" shows how the last rollout ended.`,
  ),
  versionUnknown: define<{ type: string }>(
    409,
    (d) =>
      `No version of type "${d.type}" before the present one is kept. Nothing was changed. ` +
      'Upgrade from a folder with the code that you want.',
  ),
  versionsTooMany: define<{ type: string; max: number }>(
    409,
    (d) =>
      `The agents of type "${d.type}" run or may go back to ${d.max} versions of its code, the most that are kept. ` +
      'Nothing was changed. Upgrade them all to one of these, or delete those of the oldest.',
  ),
  strategyUnknown: define<{ strategy: string; known: readonly string[] }>(
    422,
    (d) =>
      `There is no strategy "${d.strategy}". Nothing was changed. Choose one of ${d.known.join(', ')}, or several with weights, as in least_loaded=0.7,affinity_based=0.3.`,
  ),
  agentUnplaceable: define<{ agent: string; refusals: readonly Refusal[] }>(
    422,
    (d) =>
      `No node can take agent "${d.agent}": ${d.refusals.map((r) => `${r.name}: ${r.reason}`).join('; ') || 'there is no node'}. ` +
      'Nothing was changed. Change the requirements or add a node.',
  ),
  nodeUnknown: define<{ node: string }>(
    404,
    (d) => `There is no node "${d.node}". Nothing was changed. "conclave status" lists the nodes.`,
  ),
  nodeNotEligible: define<{ node: string; reason: string }>(
    409,
    (d) => `Node "${d.node}" cannot take the agent: ${d.reason}. Nothing was changed. Choose another node.`,
  ),
  cannotLead: define<{ node: string; reason: string }>(
    409,
    (d) =>
      `Node "${d.node}" cannot lead now: it ${d.reason}. Who leads goes on. "conclave nodes" shows which nodes vote.`,
  ),
  agentBusyMoving: define<{ agent: string }>(
    409,
    (d) => `Agent "${d.agent}" is being placed right now. Nothing was changed. Try again in a moment.`,
  ),
  forkUnknown: define<{ agent: string; fork: string }>(
    404,
    (d) => `Agent "${d.agent}" has no fork "${d.fork}". Nothing was changed. "conclave forks ${d.agent}" lists them.`,
  ),
  forkOutOfReach: define<{ agent: string; fork: string; keepers: readonly string[] }>(
    503,
    (d) =>
      `Nobody in reach keeps fork "${d.fork}" of agent "${d.agent}". Nothing was changed. ` +
      `Bring one of its keepers back (${d.keepers.join(', ')}) and ask again.`,
  ),
  migrationUnknown: define<{ agent: string }>(
    409,
    (d) =>
      `Agent "${d.agent}" is not on its way to another node. Nothing was changed. ` +
      '"conclave agent" shows where it is, and how its last move ended.',
  ),
  agentNotStuck: define<{ agent: string }>(
    409,
    (d) =>
      `Agent "${d.agent}" answers, or a majority of its holders may still be reached. Nothing was changed. ` +
      'Wait: it is recovered by itself. "conclave agent" says when that cannot be.',
  ),
  checkpointChanged: define<{ agent: string; now: string }>(
    409,
    (d) =>
      `The checkpoint of agent "${d.agent}" that was named is not there; there is ${d.now}. Nothing was changed. ` +
      'Look again with "conclave agent", and name what it shows.',
  ),
  migrationSwitched: define<{ agent: string; target: string }>(
    409,
    (d) =>
      `Agent "${d.agent}" has been switched over to "${d.target}" already. Nothing was changed. ` +
      'Wait until it answers there, then move it back.',
  ),
  migrationFailed: define<{ agent: string; reason: string }>(
    409,
    (d) =>
      `The move of agent "${d.agent}" has ended before it answered at the target: ${d.reason}. ` +
      'Its state is unchanged. "conclave agent" shows where it is; move it again, or elsewhere.',
  ),
  keyUnknown: define<{ key: string }>(
    404,
    (d) => `There is no key "${d.key}". Nothing was changed. "conclave kv list" lists the keys.`,
  ),
  keyChanged: define<{ key: string; ifIndex: number; index: number }>(
    412,
    (d) =>
      `Key "${d.key}" ${d.index === 0 ? 'does not exist' : `was last changed at index ${d.index}`}, ` +
      `${d.ifIndex === 0 ? 'and it should not exist' : `not at ${d.ifIndex}`}. Nothing was changed. Read it again and decide anew.`,
  ),
  kvFull: define<{ what: string; max: number }>(
    409,
    (d) => `The key-value space is full: at most ${d.max} ${d.what}. Nothing was changed. Delete some keys first.`,
  ),
  // what the cluster can do now
  leaderUnknown: define<Record<string, never>>(
    503,
    () =>
      'The cluster has no leader in reach of this node. Nothing was changed. Send it again in a moment, or read with ' +
      '"consistency=stale"; "conclave status" shows who is missing.',
  ),
  notLeader: define<{ leader: string }>(
    503,
    (d) => `This node does not lead (leader: ${d.leader || 'unknown'}). Nothing was changed. Send the request again.`,
  ),
  notMember: define<Record<string, never>>(
    503,
    () =>
      'This node is not a member of a cluster yet. Nothing was changed. Wait for /health/ready or ask another node.',
  ),
  nodeEnding: define<Record<string, never>>(503, () => 'This node is ending. Nothing was changed. Ask another node.'),
  /** `retryAfterMs`: when there may be room, where that can be told. */
  backlogFull: define<{ what: string; max: number; retryAfterMs?: number }>(
    429,
    (d) => `Too much is waiting: ${d.what}, at most ${d.max}. Nothing was changed. Send it again in a moment.`,
  ),
  /** `why`: what keeps whoever is to answer from it, where that is known. */
  deadlineExceeded: define<{ what: string; ttlMs: number; why?: string }>(
    504,
    (d) =>
      `${d.what} was not answered within ${d.ttlMs} ms${d.why === undefined ? '' : `: ${d.why}`}. Whether it took effect is unknown. ` +
      'Send it again with the same id: it takes effect once. A task may be given more time: --ttl-ms, in the API ttl_ms.',
  ),
  outcomeUnknown: define<{ what: string }>(
    504,
    (d) =>
      `Whether the ${d.what} took effect can no longer be told: once, or not at all. ` +
      'Look at what is there now, then decide whether to send it anew.',
  ),
  agentNotReady: define<{ agent: string }>(
    503,
    (d) =>
      `Agent "${d.agent}" is not running yet or is being recovered. Nothing was changed. Send it again in a moment.`,
  ),
  taskFailed: define<{ agent: string; task: string; reason: string }>(
    422,
    (d) =>
      `Agent "${d.agent}" refused task "${d.task}": ${d.reason}. Its state is unchanged. ` +
      'Correct the task and send it under a new id.',
  ),
  taskUnknown: define<{ agent: string; task: string }>(
    404,
    (d) =>
      `Agent "${d.agent}" has no task "${d.task}" that waits, runs or is set aside. Nothing was changed. ` +
      `"conclave tasks ${d.agent}" lists them.`,
  ),
  taskOver: define<{ agent: string; task: string }>(
    409,
    (d) =>
      `Task "${d.task}" of agent "${d.agent}" is over and cannot be cancelled. Its result stands. ` +
      'Send the task again under the same id to read it.',
  ),
  taskCancelled: define<{ agent: string; task: string }>(
    409,
    (d) =>
      `Task "${d.task}" of agent "${d.agent}" was cancelled. It had no effect and will not be done under this id. ` +
      'Send it under a new id if it is wanted after all.',
  ),
  taskSetAside: define<{ agent: string; task: string; tries: number; reason: string }>(
    422,
    (d) =>
      `Task "${d.task}" ended what ran agent "${d.agent}" ${d.tries === 1 ? 'once more' : `${d.tries} times`} and is set aside: ${d.reason}. ` +
      `The agent's state is unchanged, and it goes on. Mend its code, then "conclave tasks ${d.agent} --retry ${d.task}", or drop the task with --cancel.`,
  ),
  resultDropped: define<{ agent: string; task: string }>(
    410,
    (d) =>
      `Agent "${d.agent}" has done task "${d.task}" before, and its result is no longer kept. ` +
      "It was not done again. Read the agent's state instead, or ask sooner.",
  ),
  // between nodes
  messageInvalid: define<{ reason: string }>(0, (d) => `A message was dropped: ${d.reason}. State unchanged.`),
  messageTooLarge: define<{ type: string; bytes: number; bytesMax: number }>(
    0,
    (d) => `A ${d.type} message of ${d.bytes} bytes was not sent, at most ${d.bytesMax} are allowed. State unchanged.`,
  ),
  commandInvalid: define<{ reason: string }>(
    409,
    (d) =>
      `The cluster refused the decision: ${d.reason}. Nothing was changed. Look at "conclave status" and try again.`,
  ),
  internal: define<{ reason: string }>(
    500,
    (d) =>
      `The node met an error of its own: ${d.reason}. Whether the request took effect is unknown. Look at its log.`,
  ),
};

type Definitions = typeof definitions;
export type ErrorCode = keyof Definitions;
export type ErrorDetails<C extends ErrorCode> = Parameters<Definitions[C]['text']>[0];

/** An error of the table: `code` is stable, `message` is for people, `details` for programs. */
export class ConclaveError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, status: number, message: string, details: Record<string, unknown>) {
    super(message);
    this.name = 'ConclaveError';
    this.code = code;
    this.status = status;
    this.details = details;
  }
}

type Factories = { [C in ErrorCode]: (details: ErrorDetails<C>) => ConclaveError };

/** One factory per code: `errors.agentUnknown({ agent })`. */
export const errors = Object.fromEntries(
  Object.entries(definitions).map(([code, { status, text }]) => [
    code,
    (details: Record<string, unknown>) =>
      new ConclaveError(code as ErrorCode, status, (text as (d: unknown) => string)(details), details),
  ]),
) as unknown as Factories;

export const errorCodes = Object.keys(definitions) as ErrorCode[];

/** HTTP status of a code. */
export function statusOf(code: ErrorCode): number {
  return definitions[code].status;
}

/** The form in which an error crosses streams and HTTP. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  details: Record<string, unknown>;
}

/** The error that such a body was made of. */
export function fromErrorBody({ code, message, details }: ErrorBody): ConclaveError {
  return new ConclaveError(code, statusOf(code), message, details);
}

export function toErrorBody(error: unknown): ErrorBody {
  const known = error instanceof ConclaveError ? error : errors.internal({ reason: String(error) });
  return { code: known.code, message: known.message, details: known.details };
}
