import { crc32c, masked } from './crc32c.ts';

const blockBytes = 32 * 1024;
const headerBytes = 7;
const types = { full: 1, first: 2, middle: 3, last: 4 };

/** A record of a LevelDB log whose bytes are not those that were written. */
export class LogDamaged extends Error {
  override readonly name = 'LogDamaged';
}

/**
 * Reads and checks a LevelDB log or manifest (doc/log_format.md of LevelDB) and returns its whole records. LevelDB
 * itself passes over damaged records in silence. A torn tail is dropped: what an unfinished write left at the end when the
 * power went, its bytes cut off or still zeros. Anything else that is wrong throws `LogDamaged`.
 */
export function readLog(file: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const blockEnd = at - (at % blockBytes) + blockBytes;
    if (blockEnd - at < headerBytes) {
      at = blockEnd;
      continue;
    }
    const fragment = readFragment(file, at, blockEnd);
    if (fragment === undefined) break;
    const { type, data } = fragment;
    const begins = type === types.full || type === types.first;
    if (type < types.full || type > types.last || begins !== (parts.length === 0)) {
      throw new LogDamaged(`a fragment of type ${type} at byte ${at} is out of place`);
    }
    parts.push(data);
    if (type === types.full || type === types.last) {
      records.push(Buffer.concat(parts));
      parts = [];
    }
    at += headerBytes + data.length;
  }
  return records;
}

/** The fragment at a place; undefined for a torn tail. */
function readFragment(file: Uint8Array, at: number, blockEnd: number): { type: number; data: Uint8Array } | undefined {
  if (at + headerBytes > file.length || isZero(file, at)) return undefined;
  const view = new DataView(file.buffer, file.byteOffset + at, headerBytes);
  const crc = view.getUint32(0, true);
  const length = view.getUint16(4, true);
  const end = at + headerBytes + length;
  if (end > blockEnd) throw new LogDamaged(`the length at byte ${at} does not fit its block`);
  if (end > file.length) {
    if (hasRecordBehind(file, at, crc)) throw new LogDamaged(`the length at byte ${at} is not what was written`);
    return undefined;
  }
  const body = file.subarray(at + 6, end);
  if (masked(crc32c(body)) !== crc) {
    if (isUnwritten(file, end)) return undefined;
    throw new LogDamaged(`the checksum at byte ${at} is wrong`);
  }
  return { type: body[0] as number, data: body.subarray(1) };
}

/** A length that points behind the end is a torn tail only if nothing whole begins here or later. */
function hasRecordBehind(file: Uint8Array, from: number, crc: number): boolean {
  if (masked(crc32c(file.subarray(from + 6))) === crc) return true;
  for (let at = from; at + headerBytes <= file.length; at++) {
    const view = new DataView(file.buffer, file.byteOffset + at, headerBytes);
    const length = view.getUint16(4, true);
    const type = view.getUint8(6);
    const end = at + headerBytes + length;
    if (type < types.full || type > types.last || end > file.length) continue;
    if (masked(crc32c(file.subarray(at + 6, end))) === view.getUint32(0, true)) return true;
    // The record that begins here may have another length than it says, up to one that begins behind it.
  }
  return false;
}

/**
 * Whether the file ends with zeros that begin before `end`: it had grown, but its data had not come to the disk. What
 * this store writes does not end with a zero (`store-ledger.ts`), so a whole record is not taken for one that is torn.
 */
function isUnwritten(file: Uint8Array, end: number): boolean {
  return file[end - 1] === 0 && isZero(file, end);
}

function isZero(file: Uint8Array, from: number): boolean {
  for (let at = from; at < file.length; at++) if (file[at] !== 0) return false;
  return true;
}
