import { crc32c, masked } from './crc32c.ts';
import { readVarint } from './varint.ts';

const footerBytes = 48;
const trailerBytes = 5;
const magic = 0xdb4775248b80fb57n;

/** A table whose bytes are not those that were written. */
export class TableDamaged extends Error {
  override readonly name = 'TableDamaged';
}

interface Handle {
  offset: number;
  size: number;
}

/** Checks every block of a LevelDB table (doc/table_format.md of LevelDB); its index must not be compressed. */
export function checkTable(file: Uint8Array): void {
  if (file.length < footerBytes) throw new TableDamaged('it is cut');
  const footer = file.subarray(file.length - footerBytes);
  const view = new DataView(footer.buffer, footer.byteOffset, footerBytes);
  if (view.getBigUint64(footerBytes - 8, true) !== magic) throw new TableDamaged('its footer is wrong');
  const metaindex = readHandle(footer, 0);
  const index = readHandle(footer, metaindex.next);
  for (const handle of handlesIn(readBlock(file, metaindex.handle))) readBlock(file, handle);
  for (const handle of handlesIn(readBlock(file, index.handle))) readBlock(file, handle);
}

function readHandle(bytes: Uint8Array, at: number): { handle: Handle; next: number } {
  const offset = readVarint(bytes, at);
  const size = readVarint(bytes, offset.next);
  return { handle: { offset: offset.value, size: size.value }, next: size.next };
}

function readBlock(file: Uint8Array, { offset, size }: Handle): Uint8Array {
  const end = offset + size;
  if (end + trailerBytes > file.length - footerBytes) throw new TableDamaged(`a block at byte ${offset} is cut`);
  const crc = new DataView(file.buffer, file.byteOffset + end + 1, 4).getUint32(0, true);
  if (masked(crc32c(file.subarray(offset, end + 1))) !== crc) {
    throw new TableDamaged(`the checksum of the block at byte ${offset} is wrong`);
  }
  if (file[end] !== 0) return new Uint8Array(0);
  return file.subarray(offset, end);
}

/** The block handles that an index block holds as values. */
function handlesIn(block: Uint8Array): Handle[] {
  if (block.length < 4) return [];
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - 4, 4).getUint32(0, true);
  const end = block.length - 4 * (restarts + 1);
  const handles: Handle[] = [];
  for (let at = 0; at < end; ) {
    const shared = readVarint(block, at);
    const own = readVarint(block, shared.next);
    const length = readVarint(block, own.next);
    const valueAt = length.next + own.value;
    handles.push(readHandle(block, valueAt).handle);
    at = valueAt + length.value;
  }
  return handles;
}
