import { type Entry, entryKinds, type Output, Raft, type RaftMessage, type RaftOptions } from '../../consensus/raft.ts';
import { seeded } from './random.ts';

/** Entries behind the first configuration of these voters, one per term given. */
export function logOf(voters: readonly string[], terms: readonly number[]): Entry[] {
  const entries = Raft.bootstrapEntries({ voters, learners: [] });
  for (const term of terms) {
    const index = entries.length + 1;
    entries.push({ index, term, kind: entryKinds.command, data: Buffer.from(`${index} of ${term}`) });
  }
  return entries;
}

/** One node, talked to by hand. Its time starts at 0. */
export function single(
  id: string,
  entries: Entry[],
  term = entries.at(-1)?.term ?? 0,
  options?: Partial<RaftOptions>,
): Raft {
  return new Raft({
    id,
    hardState: { term, vote: '' },
    entries,
    random: seeded(7),
    nowMs: 0,
    ...(options && { options }),
  });
}

/** Takes what there is to do, says that it is on disk, and returns all of it. */
export function settle(raft: Raft): Output {
  const output = raft.takeOutput();
  if (output.persist) raft.durable(output.persist);
  return output;
}

/** What was said to one node in an output, of one type. */
export function saidTo<T extends RaftMessage['type']>(
  output: Output,
  to: string,
  type: T,
): Extract<RaftMessage, { type: T }>['body'][] {
  const all = [...output.early, ...output.late].filter((out) => out.to === to).map((out) => out.message);
  return all.filter((message) => message.type === type).map((message) => message.body) as never;
}

/** Makes a node leader of the next term, with the votes of the others given. Returns what it then said. */
export function elect(raft: Raft, granters: readonly string[], nowMs = raft.deadlineMs()): Output {
  raft.tick(nowMs);
  raft.takeOutput();
  const term = raft.term + 1;
  for (const from of granters) {
    raft.receive(from, { type: 'voteReply', body: { term, pre: true, granted: true } }, nowMs);
  }
  settle(raft);
  for (const from of granters) {
    raft.receive(from, { type: 'voteReply', body: { term, pre: false, granted: true } }, nowMs);
  }
  if (raft.role !== 'leader') throw new Error(`${raft.id} is ${raft.role}`);
  return settle(raft);
}

/** An append request with nothing unusual in it. */
export function append(term: number, previous: Entry | undefined, entries: Entry[], commitIndex = 0): RaftMessage {
  const [previousIndex, previousTerm] = [previous?.index ?? 0, previous?.term ?? 0];
  return {
    type: 'appendRequest',
    body: { term, previousIndex, previousTerm, commitIndex, entries, round: 1, leader: '', ageMs: 0 },
  };
}

export function voteRequest(
  term: number,
  last: Entry | undefined,
  flags: { pre?: boolean; transfer?: boolean } = {},
): RaftMessage {
  const body = { term, pre: false, transfer: false, lastIndex: last?.index ?? 0, lastTerm: last?.term ?? 0, ...flags };
  return { type: 'voteRequest', body };
}

/** A follower's answer to the last request that the leader sent it. */
export function success(output: Output, from: string, matchIndex: number): RaftMessage {
  const request = saidTo(output, from, 'appendRequest').at(-1);
  if (request === undefined) throw new Error(`nothing was sent to ${from}`);
  const { term, round } = request;
  return { type: 'appendReply', body: { term, success: true, matchIndex, conflictIndex: 0, conflictTerm: 0, round } };
}
