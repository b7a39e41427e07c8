import type { Configuration } from '../../consensus/configuration.ts';
import type { Entry, LogBase, Persist, Snapshot } from '../../consensus/raft.ts';
import { joined } from './bytes.ts';
import type { Write } from './effect.ts';
import { keys, writeEntry, writeJson } from './records.ts';
import { fromBytes, fromJson } from './text.ts';
import { Entry as EntryCodec } from './wire/messages.ts';

/** A node's part in the replicated log, as its disk has it. */
export interface StoredLog {
  hardState: { term: number; vote: string };
  entries: Entry[];
  /** Behind which the entries begin; nothing: at the very beginning of the log. */
  base: LogBase | undefined;
  snapshot: Snapshot | undefined;
  /** Records that the snapshot's data fills. */
  snapshotParts: number;
}

/** Bytes of a snapshot in one record. */
const partBytes = 1024 * 1024;

/** What stands in the record of a snapshot; its data is in records of its own. */
interface SnapshotRecord {
  index: number;
  term: number;
  configuration: Configuration;
  base: LogBase;
  parts: number;
}

/** Turns what Raft wants on disk into records: the one place that knows how a log is kept. */
export class LogRecords {
  /** Records that the data of the present snapshot fills. */
  #parts: number;

  constructor(stored: Pick<StoredLog, 'snapshotParts'>) {
    this.#parts = stored.snapshotParts;
  }

  /** The batch of one `persist`. */
  writes({ hardState, snapshot, truncateFrom, truncateThrough, dropFrom, dropThrough, entries }: Persist): Write[] {
    const writes: Write[] = [];
    if (hardState !== undefined) writes.push(writeJson(keys.hardState, hardState));
    if (snapshot !== undefined) this.#putSnapshot(snapshot, writes);
    const kept = new Set(entries.map((entry) => entry.index));
    removeEntries(dropFrom, dropThrough, kept, writes);
    removeEntries(truncateFrom, truncateThrough, kept, writes);
    for (const entry of entries) writes.push(writeEntry(entry));
    return writes;
  }

  #putSnapshot({ index, term, configuration, base, data }: Snapshot & { base: LogBase }, writes: Write[]): void {
    const parts = Math.ceil(data.byteLength / partBytes);
    const record: SnapshotRecord = { index, term, configuration, base, parts };
    writes.push(writeJson(keys.snapshot, record));
    for (let part = 0; part < Math.max(parts, this.#parts); part++) {
      const value = part < parts ? data.slice(part * partBytes, (part + 1) * partBytes) : undefined;
      writes.push({ key: keys.snapshotPart(part), value });
    }
    this.#parts = parts;
  }
}

function removeEntries(
  from: number | undefined,
  through: number | undefined,
  kept: ReadonlySet<number>,
  writes: Write[],
): void {
  if (from === undefined || through === undefined) return;
  for (let index = from; index <= through; index++) {
    if (!kept.has(index)) writes.push({ key: keys.entry(index), value: undefined });
  }
}

/** The index of the last entry that a stored snapshot covers: what its record says. */
export function snapshotIndexIn(value: Uint8Array): number {
  return (fromJson(fromBytes(value)) as SnapshotRecord).index;
}

/** Reads the log and its snapshot. Throws when a part of the snapshot is missing. */
export function readLog(records: ReadonlyMap<string, Uint8Array>): StoredLog {
  const hard = records.get(keys.hardState);
  const hardState = hard === undefined ? { term: 0, vote: '' } : (fromJson(fromBytes(hard)) as StoredLog['hardState']);
  const entries: Entry[] = [];
  for (const [key, value] of records) if (key.startsWith(keys.entries)) entries.push(EntryCodec.decode(value));
  entries.sort((a, b) => a.index - b.index);
  const stored = records.get(keys.snapshot);
  if (stored === undefined) return { hardState, entries, base: undefined, snapshot: undefined, snapshotParts: 0 };
  const { index, term, configuration, base, parts } = fromJson(fromBytes(stored)) as SnapshotRecord;
  const data = joined(snapshotParts(parts, (part) => records.get(keys.snapshotPart(part))));
  return { hardState, entries, base, snapshot: { index, term, configuration, data }, snapshotParts: parts };
}

function snapshotParts(count: number, read: (part: number) => Uint8Array | undefined): Uint8Array[] {
  return Array.from({ length: count }, (_, part) => {
    const value = read(part);
    if (value !== undefined) return value;
    throw new Error(`Part ${part} of the stored snapshot is missing. Nothing was changed. Let this node join anew.`);
  });
}
