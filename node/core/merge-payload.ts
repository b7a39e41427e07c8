import { joined } from './bytes.ts';
import { fromBytes, toBytes } from './text.ts';

/** What an agent's code is given to take in a branch: states without their mailboxes. */
export interface MergePayload {
  branch: string;
  /** Ids of tasks that both sides did. */
  both: string[];
  base: Uint8Array;
  theirs: Uint8Array;
}

const lengthBytes = 4;

/** The length of the head, the head as JSON, the base, theirs. */
export function encodeMerge({ branch, both, base, theirs }: MergePayload): Uint8Array {
  const head = toBytes(JSON.stringify({ branch, both, baseBytes: base.byteLength }));
  const length = new Uint8Array(lengthBytes);
  new DataView(length.buffer).setUint32(0, head.byteLength);
  return joined([length, head, base, theirs]);
}

/** The reverse. Throws on bytes that `encodeMerge` did not make. */
export function decodeMerge(bytes: Uint8Array): MergePayload {
  const end = lengthBytes + new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const head = JSON.parse(fromBytes(bytes.subarray(lengthBytes, end))) as {
    branch: string;
    both: string[];
    baseBytes: number;
  };
  const { branch, both, baseBytes } = head;
  return { branch, both, base: bytes.subarray(end, end + baseBytes), theirs: bytes.subarray(end + baseBytes) };
}
