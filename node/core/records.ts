import type { Entry } from '../../consensus/raft.ts';
import type { Write } from './effect.ts';
import type { TaskResult } from './message.ts';
import { toBytes, toJson } from './text.ts';
import { Entry as EntryCodec, HolderRecord, TaskResult as TaskResultCodec } from './wire/messages.ts';

/** The keys of the store and what stands under them. Numbers are padded so that keys sort as numbers do. */
const pad = (n: number): string => String(n).padStart(16, '0');

export const keys = {
  boot: 'meta/boot',
  cluster: 'meta/cluster',
  pledge: 'meta/pledge',
  /** Written by a recovery: which cluster this one was made of. */
  recovered: 'meta/recovered',
  /** Of everything that is the log's. */
  raftPrefix: 'raft/',
  hardState: 'raft/hard',
  entries: 'raft/entry/',
  entry: (index: number) => `raft/entry/${pad(index)}`,
  snapshot: 'raft/snapshot',
  snapshotPart: (part: number) => `raft/snapshot/${pad(part)}`,
  holder: (agent: string) => `holder/${agent}`,
  /** Of a large state: which parts it has, the parts, and the changes since. */
  state: (agent: string) => `state/${agent}`,
  statePart: (agent: string, part: number) => `state-part/${agent}/${pad(part)}`,
  stateStep: (agent: string, sequence: number) => `state-step/${agent}/${pad(sequence)}`,
  /** What a keeper knows of a branch. */
  branch: (key: string) => `branch/${key}`,
  /** In the first table, or in one that came in its place. */
  result: (agent: string, sequence: number, table = 0) =>
    `result/${agent}/${pad(sequence)}${table === 0 ? '' : `.${table}`}`,
};

export const writeJson = (key: string, value: unknown): Write => ({ key, value: toBytes(toJson(value)) });
export const writeEntry = (entry: Entry): Write => ({ key: keys.entry(entry.index), value: EntryCodec.encode(entry) });
export const writeHolder = (agent: string, record: HolderRecord): Write => ({
  key: keys.holder(agent),
  value: HolderRecord.encode(record),
});
/** The table that has a result, by its key. */
export const tableOf = (key: string): number => Number(key.slice(key.lastIndexOf('/')).split('.')[1] ?? 0);

export const writeResult = (agent: string, result: TaskResult, table = 0): Write => ({
  key: keys.result(agent, result.sequence, table),
  value: TaskResultCodec.encode(result),
});

export type { HolderRecord };
