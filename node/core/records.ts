import type { Entry } from '../../consensus/message.ts';
import type { Write } from './effect.ts';
import type { TaskResult } from './message.ts';
import { fromBytes, fromJson, toBytes, toJson } from './text.ts';
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
  entry: (index: number) => `raft/entry/${pad(index)}`,
  holder: (agent: string) => `holder/${agent}`,
  result: (agent: string, sequence: number) => `result/${agent}/${pad(sequence)}`,
};

export const writeJson = (key: string, value: unknown): Write => ({ key, value: toBytes(toJson(value)) });
export const writeEntry = (entry: Entry): Write => ({ key: keys.entry(entry.index), value: EntryCodec.encode(entry) });
export const writeHolder = (agent: string, record: HolderRecord): Write => ({
  key: keys.holder(agent),
  value: HolderRecord.encode(record),
});
export const writeResult = (agent: string, result: TaskResult): Write => ({
  key: keys.result(agent, result.sequence),
  value: TaskResultCodec.encode(result),
});

export interface Restored {
  boot: number;
  cluster: string;
  pledge: string;
  hardState: { term: number; vote: string };
  entries: Entry[];
  holders: Map<string, { record: HolderRecord; results: TaskResult[] }>;
}

/** Reads what `keys` names. The store has checked every record; a gap in the log still throws, in the Raft module. */
export function restore(records: ReadonlyMap<string, Uint8Array>): Restored {
  const json = <T>(key: string, otherwise: T): T => {
    const bytes = records.get(key);
    return bytes === undefined ? otherwise : (fromJson(fromBytes(bytes)) as T);
  };
  const entries: Entry[] = [];
  const holders = new Map<string, { record: HolderRecord; results: TaskResult[] }>();
  for (const key of [...records.keys()].sort()) {
    const value = records.get(key) as Uint8Array;
    if (key.startsWith('raft/entry/')) entries.push(EntryCodec.decode(value));
    // 'holder/…' sorts before 'result/…'
    if (key.startsWith('holder/')) holders.set(key.slice(7), { record: HolderRecord.decode(value), results: [] });
    if (key.startsWith('result/')) {
      holders.get(key.slice(7, key.lastIndexOf('/')))?.results.push(TaskResultCodec.decode(value));
    }
  }
  return {
    boot: json(keys.boot, 0),
    cluster: json(keys.cluster, ''),
    pledge: json(keys.pledge, ''),
    hardState: json(keys.hardState, { term: 0, vote: '' }),
    entries,
    holders,
  };
}

export type { HolderRecord };
