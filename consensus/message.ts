import { decodeConfiguration } from './configuration.ts';
import { type Entry, entryKinds } from './entry.ts';

export { type Entry, entryKinds } from './entry.ts';

/** Most entries that one append request may hold; what comes with more is not looked at. */
export const requestEntriesMax = 1024;

export interface VoteRequest {
  /** The term the candidate stands for; with `pre` the one it would stand for. */
  term: number;
  /** Only asks whether a vote would be given (Ongaro's thesis, 9.6). Changes nothing at the voter. */
  pre: boolean;
  lastIndex: number;
  lastTerm: number;
  /** The present leader asked for this election: voters do not hold on to it. */
  transfer: boolean;
}

export interface VoteReply {
  /** The voter's term; of a granted pre-vote, the term that was asked about. */
  term: number;
  pre: boolean;
  granted: boolean;
}

export interface AppendRequest {
  term: number;
  previousIndex: number;
  previousTerm: number;
  /** All that the sender knows to be committed: it may lie beyond what this request lets the receiver verify. */
  commitIndex: number;
  entries: Entry[];
  /** Numbers the sender's requests within the term, from 1; 0: no answer is wanted. */
  round: number;
  /** For whom the sender passes it on; '': it leads itself. */
  leader: string;
  /** How long ago the sender heard that leader, ms; 0 for the leader. */
  ageMs: number;
  /**
   * By the receiver's own clock, as its answers tell it: a moment before which nothing was committed that the sender does
   * not tell of. 0: the sender knows of none; left out by those that know nothing of it.
   */
  answersMs?: number;
}

export interface AppendReply {
  term: number;
  success: boolean;
  /** With `success`: the logs agree up to here, and it is on the follower's disk. */
  matchIndex: number;
  /** Without: where the leader may try next, and the term of the entry that stood in the way (0: none stood there). */
  conflictIndex: number;
  conflictTerm: number;
  /** The request that this answers. */
  round: number;
  /** By the answerer's own clock, ms since it started; left out by those that know nothing of it. */
  sentMs?: number;
}

/** A part of a snapshot, for a follower whose next entries the leader no longer has. */
export interface SnapshotChunk {
  term: number;
  /** The last entry that the snapshot covers, and that entry's term. */
  index: number;
  snapshotTerm: number;
  /** The data of a configuration entry. */
  configuration: Uint8Array;
  /** Bytes of the whole, and where these begin. */
  length: number;
  offset: number;
  data: Uint8Array;
  /** Of the whole snapshot: together with its place and length it says which one this is a part of. */
  checksum: number;
  round: number;
  /** As in an append request. */
  leader: string;
  ageMs: number;
}

export interface SnapshotReply {
  term: number;
  /** The snapshot that the chunk was of. */
  index: number;
  /** How much of it the follower has, bytes: where the next chunk begins. */
  offset: number;
  /** It is on the follower's disk, in place of the entries that it covers. */
  installed: boolean;
  round: number;
}

/** Pass the log on to these learners, and to no others. */
export interface Relay {
  term: number;
  children: string[];
}

/** What those have that a relay passes the log on to. */
export interface RelayReport {
  term: number;
  /** `ageMs`: since the newest request that it answered had been sent. */
  children: { id: string; matchIndex: number; ageMs: number }[];
}

/** Most learners that one relay serves. */
export const childrenMax = 256;

/** Stand for election now, the sender makes way (thesis, 3.10). */
export interface TransferLeadership {
  term: number;
}

interface Bodies {
  voteRequest: VoteRequest;
  voteReply: VoteReply;
  appendRequest: AppendRequest;
  appendReply: AppendReply;
  snapshotChunk: SnapshotChunk;
  snapshotReply: SnapshotReply;
  relay: Relay;
  relayReport: RelayReport;
  transferLeadership: TransferLeadership;
}

export type RaftMessageType = keyof Bodies;
export type RaftBody<K extends RaftMessageType> = Bodies[K];

/** Everything that two nodes of one cluster say to each other about the log. */
export type RaftMessage = { [K in RaftMessageType]: { type: K; body: Bodies[K] } }[RaftMessageType];

/** A message on its way out. */
export interface Outgoing {
  to: string;
  message: RaftMessage;
}

const checks: { [K in RaftMessageType]: (body: Bodies[K]) => string | undefined } = {
  voteRequest: (body) => counts(body, ['term', 'lastIndex', 'lastTerm']) ?? flags(body, ['pre', 'transfer']),
  voteReply: (body) => counts(body, ['term']) ?? flags(body, ['pre', 'granted']),
  appendRequest: checkAppend,
  appendReply: (body) =>
    counts(body, ['term', 'matchIndex', 'conflictIndex', 'conflictTerm', 'round']) ??
    (body.sentMs === undefined ? undefined : counts(body, ['sentMs'])) ??
    flags(body, ['success']),
  snapshotChunk: checkChunk,
  snapshotReply: (body) => counts(body, ['term', 'index', 'offset', 'round']) ?? flags(body, ['installed']),
  relay: (body) => counts(body, ['term']) ?? checkIds(body.children),
  relayReport: checkReport,
  transferLeadership: (body) => counts(body, ['term']),
};

/** Whether a message is one of these, among others of a larger protocol. */
export function isRaftMessage(message: { type: string }): message is RaftMessage {
  return Object.hasOwn(checks, message.type);
}

/** Says what is wrong with a message from outside, or nothing when its fields can be relied on. */
export function messageFault(message: RaftMessage): string | undefined {
  if (!Object.hasOwn(checks, message.type)) return `unknown type ${String(message.type)}`;
  if (typeof message.body !== 'object' || message.body === null) return 'no body';
  const check = checks[message.type] as (body: RaftMessage['body']) => string | undefined;
  return check(message.body);
}

/**
 * Says what is wrong with entries that should follow an entry (`previousIndex`, `previousTerm`) in a log of at most
 * `termMax`, or nothing when they do.
 */
export function entriesFault(
  entries: readonly Entry[],
  previousIndex: number,
  previousTerm: number,
  termMax: number,
): string | undefined {
  let index = previousIndex;
  let term = previousTerm;
  for (const entry of entries) {
    index += 1;
    if (typeof entry !== 'object' || entry === null) return `no entry where ${index} should be`;
    if (entry.index !== index) return `entry ${entry.index} where ${index} should be`;
    if (!isCount(entry.term) || entry.term < term || entry.term < 1) return `entry ${index} of term ${entry.term}`;
    if (entry.term > termMax) return `entry ${index} of term ${entry.term}, above ${termMax}`;
    if (!(entry.data instanceof Uint8Array)) return `entry ${index} without data`;
    if (entry.kind === entryKinds.configuration) {
      if (decodeConfiguration(entry.data) === undefined) return `entry ${index} is not a configuration`;
    } else if (entry.kind !== entryKinds.noop && entry.kind !== entryKinds.command) {
      return `entry ${index} of unknown kind ${entry.kind}`;
    }
    term = entry.term;
  }
  return undefined;
}

function checkAppend(body: AppendRequest): string | undefined {
  const fault = counts(body, ['term', 'previousIndex', 'previousTerm', 'commitIndex', 'round', 'ageMs']);
  if (fault !== undefined) return fault;
  const wrong = body.answersMs === undefined ? undefined : counts(body, ['answersMs']);
  if (wrong !== undefined) return wrong;
  if (typeof body.leader !== 'string') return 'no leader';
  if ((body.previousIndex === 0) !== (body.previousTerm === 0)) return 'previous index and term do not fit';
  if (!Array.isArray(body.entries) || body.entries.length > requestEntriesMax) return 'too many entries';
  if (body.previousTerm > body.term) return 'previous term above the term';
  return entriesFault(body.entries, body.previousIndex, body.previousTerm, body.term);
}

function checkChunk(body: SnapshotChunk): string | undefined {
  const fault = counts(body, ['term', 'index', 'snapshotTerm', 'length', 'offset', 'checksum', 'round', 'ageMs']);
  if (fault !== undefined) return fault;
  if (typeof body.leader !== 'string') return 'no leader';
  if (body.index < 1 || body.snapshotTerm < 1 || body.snapshotTerm > body.term) return 'no place in the log';
  if (!(body.data instanceof Uint8Array) || body.data.byteLength < 1) return 'a chunk without data';
  if (body.offset + body.data.byteLength > body.length) return 'a chunk behind the end';
  if (!(body.configuration instanceof Uint8Array)) return 'no configuration';
  return decodeConfiguration(body.configuration) === undefined ? 'not a configuration' : undefined;
}

function checkIds(ids: readonly string[]): string | undefined {
  if (!Array.isArray(ids) || ids.length > childrenMax) return 'too many learners';
  return ids.every((id) => typeof id === 'string' && id !== '') ? undefined : 'a learner without a name';
}

function checkReport(body: RelayReport): string | undefined {
  const { children } = body;
  if (!Array.isArray(children) || children.some((child) => typeof child !== 'object' || child === null))
    return 'no learners';
  const fault = counts(body, ['term']) ?? checkIds(children.map(({ id }) => id));
  if (fault !== undefined) return fault;
  for (const child of body.children) {
    const wrong = counts(child, ['matchIndex', 'ageMs']);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function counts<B>(body: B, names: readonly (keyof B & string)[]): string | undefined {
  const wrong = names.find((name) => !isCount(body[name]));
  return wrong === undefined ? undefined : `${wrong} is not a count`;
}

function flags<B>(body: B, names: readonly (keyof B & string)[]): string | undefined {
  const wrong = names.find((name) => typeof body[name] !== 'boolean');
  return wrong === undefined ? undefined : `${wrong} is not true or false`;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
