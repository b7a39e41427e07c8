import { limits, replicatedBytesMax } from './settings.ts';
import { checksumOf, powerOf, type StateBytes, type StatePart } from './state-bytes.ts';

/** A part of a state without its bytes. */
export type PartName = Pick<StatePart, 'hash' | 'digest' | 'power'> & { length: number };

const nameBytes = 12;

/** The parts of a state by name, as they go over the wire: of each its length, hash and digest, four bytes each. */
export function encodeManifest({ parts }: StateBytes): Uint8Array {
  const bytes = new Uint8Array(parts.length * nameBytes);
  const view = new DataView(bytes.buffer);
  for (const [i, { bytes: of, hash, digest }] of parts.entries()) {
    view.setUint32(i * nameBytes, of.byteLength);
    view.setUint32(i * nameBytes + 4, hash);
    view.setUint32(i * nameBytes + 8, digest);
  }
  return bytes;
}

/** The reverse; undefined where it is no list of parts, is of more than a state may have, or does not come to its checksum. */
export function decodeManifest(bytes: Uint8Array, checksum: number): PartName[] | undefined {
  if (bytes.byteLength === 0 || bytes.byteLength % nameBytes !== 0) return undefined;
  if (bytes.byteLength / nameBytes > limits.statePartsMax) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: PartName[] = [];
  let sum = 0;
  for (let at = 0; at < bytes.byteLength; at += nameBytes) {
    const length = view.getUint32(at);
    sum += length;
    if (length === 0 || length > limits.statePartBytesMax || sum > replicatedBytesMax) return undefined;
    names.push({ length, hash: view.getUint32(at + 4), digest: view.getUint32(at + 8), power: powerOf(length) });
  }
  return checksumOf(names) === checksum ? names : undefined;
}

/** What names a part among others. */
export const nameOf = ({ length, hash, digest }: Omit<PartName, 'power'>): string => `${length} ${hash} ${digest}`;

export const nameOfPart = ({ bytes, hash, digest }: StatePart): string =>
  nameOf({ length: bytes.byteLength, hash, digest });
