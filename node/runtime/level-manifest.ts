import { readVarint } from './varint.ts';

/** What a LevelDB manifest says there is. */
export interface Manifest {
  /** Live tables and their sizes in bytes. */
  tables: Map<number, number>;
  /** Logs with this number and above hold what is not in a table yet. */
  logNumber: number;
}

/** Reads the records of a manifest (`VersionEdit` of LevelDB). Throws `RangeError` when they make no sense. */
export function readManifest(records: readonly Uint8Array[]): Manifest {
  const manifest: Manifest = { tables: new Map(), logNumber: 0 };
  for (const record of records) {
    for (let at = 0; at < record.length; ) at = readEdit(record, at, manifest);
  }
  return manifest;
}

function readEdit(record: Uint8Array, at: number, manifest: Manifest): number {
  const tag = readVarint(record, at);
  let next = tag.next;
  const number = (): number => {
    const read = readVarint(record, next);
    next = read.next;
    return read.value;
  };
  const skipBytes = (): void => {
    const length = number();
    next += length;
  };
  switch (tag.value) {
    case 1:
      skipBytes();
      return next;
    case 2:
      manifest.logNumber = number();
      return next;
    case 3:
    case 4:
    case 9:
      number();
      return next;
    case 5:
      number();
      skipBytes();
      return next;
    case 6:
      number();
      manifest.tables.delete(number());
      return next;
    case 7: {
      number();
      const table = number();
      manifest.tables.set(table, number());
      skipBytes();
      skipBytes();
      return next;
    }
    default:
      throw new RangeError(`an edit has the unknown tag ${tag.value}`);
  }
}
