import { readLog, type StoredLog } from './log-records.ts';
import type { TaskResult } from './message.ts';
import { keys } from './records.ts';
import { fromBytes, fromJson } from './text.ts';
import { HolderRecord, TaskResult as TaskResultCodec } from './wire/messages.ts';

/** What a node finds on its disk when it starts. */
export interface Restored {
  boot: number;
  cluster: string;
  pledge: string;
  log: StoredLog;
  holders: Map<string, { record: HolderRecord; results: TaskResult[] }>;
}

/** Reads what `keys` names. The store has checked every record; a gap in the log still throws, in the Raft module. */
export function restore(records: ReadonlyMap<string, Uint8Array>): Restored {
  const json = <T>(key: string, otherwise: T): T => {
    const bytes = records.get(key);
    return bytes === undefined ? otherwise : (fromJson(fromBytes(bytes)) as T);
  };
  const holders = new Map<string, { record: HolderRecord; results: TaskResult[] }>();
  for (const key of [...records.keys()].sort()) {
    const value = records.get(key) as Uint8Array;
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
    log: readLog(records),
    holders,
  };
}
