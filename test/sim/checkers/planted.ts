import { encodeConfiguration } from '../../../consensus/configuration.ts';
import { entryKinds } from '../../../consensus/entry.ts';
import type { EffectOf, Write } from '../../../node/core/effect.ts';
import type { Event } from '../../../node/core/event.ts';
import type { Message, MessageOf, MessageType } from '../../../node/core/message.ts';
import { writeEntry, writeHolder, writeResult } from '../../../node/core/records.ts';
import { Ledger } from '../../../sim/ledger.ts';

/** What checkers are fed with by hand: real records, messages and reports, with the fields that matter to a test. */

type Report = EffectOf<'report'>['report'];

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

// ---- records ----

export const entry = (index: number, term: number, data = `${term}`) => ({ index, term, kind: 0, data: bytes(data) });
export const putEntry = (...args: Parameters<typeof entry>): Write => writeEntry(entry(...args));
export const putVoters = (index: number, term: number, voters: string[]): Write => {
  const data = encodeConfiguration({ voters, learners: [] });
  return writeEntry({ index, term, kind: entryKinds.configuration, data });
};

export const putHolder = (
  agent: string,
  sealedEpoch: number,
  epoch: number,
  sequence: number,
  state = '',
  checksum = 0,
): Write => writeHolder(agent, { sealedEpoch, epoch, sequence, state: bytes(state), checksum });

export const putResult = (
  agent: string,
  task: string,
  sequence: number,
  value = '1',
  ok = true,
  valueDropped = false,
): Write => writeResult(agent, { task, sequence, ok, value: bytes(value), valueDropped });

// ---- messages ----

const bodies = {
  voteRequest: { term: 1, pre: false, lastIndex: 0, lastTerm: 0, transfer: false },
  voteReply: { term: 1, pre: false, granted: true },
  appendRequest: {
    term: 1,
    previousIndex: 0,
    previousTerm: 0,
    commitIndex: 0,
    entries: [],
    round: 1,
    leader: '',
    ageMs: 0,
  },
  appendReply: { term: 1, success: true, matchIndex: 0, conflictIndex: 0, conflictTerm: 0, round: 1 },
  sealed: { agent: 'a', epoch: 1, granted: true, sealedEpoch: 1 },
  replicated: { agent: 'a', epoch: 1, sequence: 1, accepted: true, needsFull: false, sealedEpoch: 1 },
  taskAsk: {
    task: 't',
    agent: 'a',
    payload: bytes('{}'),
    ttlMs: 1_000,
    priority: 5,
    key: '',
    retry: '',
    progress: false,
  },
  taskAnswer: { task: 't', agent: 'a', ok: true, value: bytes('1'), refusal: '' },
  probe: { sequence: 1 },
} satisfies { [K in MessageType]?: MessageOf<K> };

/** A message; the fields that are not named do not matter. */
export const message = <K extends keyof typeof bodies>(type: K, body: Partial<MessageOf<K>> = {}): Message =>
  ({ type, body: { ...bodies[type], ...body } }) as Message;

export const received = (from: string, what: Message): Event => ({
  type: 'message',
  from,
  cluster: 'c',
  message: what,
});

// ---- what the log decided ----

export const report = (index: number, kind: string, details: Record<string, unknown> = {}, text = kind): Report => ({
  index,
  atMs: 1,
  kind,
  text,
  details,
});

export const joined = (index: number, node: string): Report => report(index, 'memberJoined', { node, boot: 1 });
export const votersAre = (index: number, ...voters: string[]): Report => report(index, 'votersChanged', { voters });
export const created = (index: number, ...agents: string[]): Report =>
  report(index, 'agentsCreated', { agents, type: 'counter' });
export const placed = (index: number, agent: string, host: string, epoch: number, holders: string[]): Report =>
  report(index, 'agentPlaced', { agent, host, epoch, holders });
export const activated = (index: number, agent: string, epoch: number): Report =>
  report(index, 'agentActive', { agent, epoch });

/** A ledger that n1 reported this to. */
export function ledgerOf(...reports: Report[]): Ledger {
  const ledger = new Ledger();
  for (const one of reports) ledger.reported('n1', one);
  return ledger;
}
