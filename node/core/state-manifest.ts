import { limits, replicatedBytesMax } from './settings.ts';
import { checksumOf, powerOf, type StateBytes, type StatePart } from './state-bytes.ts';

/** A part of a state without its bytes. */
export type PartName = Pick<StatePart, 'hash' | 'digest' | 'power'> & { length: number };

const nameBytes = 12;

/** As long as a state is there: it is offered to all its holders. */
const encoded = new WeakMap<StateBytes, Uint8Array>();

/** The parts of a state by name, as they go over the wire: of each its length, hash and digest, four bytes each. */
export function encodeManifest(state: StateBytes): Uint8Array {
  const known = encoded.get(state) ?? encodeParts(state);
  encoded.set(state, known);
  return known;
}

function encodeParts({ parts }: StateBytes): Uint8Array {
  const bytes = new Uint8Array(parts.length * nameBytes);
  const view = new DataView(bytes.buffer);
  for (const [i, { bytes: of, hash, digest }] of parts.entries()) {
    view.setUint32(i * nameBytes, of.byteLength);
    view.setUint32(i * nameBytes + 4, hash);
    view.setUint32(i * nameBytes + 8, digest);
  }
  return bytes;
}

/** How many parts a list has, if it is one. */
export const partsIn = (manifest: Uint8Array): number => Math.ceil(manifest.byteLength / nameBytes);

/** The reverse; undefined where it is no list of parts, is of more than a state may have, or does not come to its checksum. */
export function decodeManifest(bytes: Uint8Array, checksum: number): PartName[] | undefined {
  if (bytes.byteLength === 0 || bytes.byteLength % nameBytes !== 0) return undefined;
  if (bytes.byteLength / nameBytes > limits.statePartsMax) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: PartName[] = [];
  let sum = 0;
  // Nearly all are of the same length.
  let last = { length: 0, power: powerOf(0) };
  for (let at = 0; at < bytes.byteLength; at += nameBytes) {
    const length = view.getUint32(at);
    sum += length;
    if (length === 0 || length > limits.statePartBytesMax || sum > replicatedBytesMax) return undefined;
    if (length !== last.length) last = { length, power: powerOf(length) };
    names.push({ length, hash: view.getUint32(at + 4), digest: view.getUint32(at + 8), power: last.power });
  }
  return checksumOf(names) === checksum ? names : undefined;
}

/** Whether a part is the one of that name. */
export const isNamed = ({ length, hash, digest }: PartName, part: StatePart): boolean =>
  part.hash === hash && part.digest === digest && part.bytes.byteLength === length;

/** Parts to be found by name. */
export class NamedParts {
  readonly #byHash = new Map<number, StatePart[]>();

  /** Of parts that are alike the first is kept. */
  constructor(parts: Iterable<StatePart>) {
    for (const part of parts) {
      const alike = this.#byHash.get(part.hash);
      if (alike === undefined) this.#byHash.set(part.hash, [part]);
      else if (!alike.some(({ digest, bytes }) => digest === part.digest && bytes.byteLength === part.bytes.byteLength))
        alike.push(part);
    }
  }

  get(name: PartName): StatePart | undefined {
    return this.#byHash.get(name.hash)?.find((part) => isNamed(name, part));
  }
}

/**
 * The parts of a state that are here, at their places. `lists`: rows of parts, the ones to be taken first before the others.
 * Two versions of a state have most parts alike in the same order, from the beginning or from the end: those cost no more
 * than a look.
 */
export function partsHere(
  names: readonly PartName[],
  lists: readonly (readonly StatePart[])[],
): (StatePart | undefined)[] {
  const here = new Array<StatePart | undefined>(names.length).fill(undefined);
  let missing = names.length;
  const fill = (place: number, part: StatePart | undefined): void => {
    const name = names[place];
    if (name === undefined || part === undefined || here[place] !== undefined || !isNamed(name, part)) return;
    here[place] = part;
    missing -= 1;
  };
  for (const list of lists) {
    if (list.length === 0) continue;
    const shift = list.length - names.length;
    for (let place = 0; place < names.length && missing > 0; place++) fill(place, list[place]);
    for (let place = 0; place < names.length && missing > 0 && shift !== 0; place++) fill(place, list[place + shift]);
    if (missing === 0) continue;
    const named = new NamedParts(list);
    for (const [place, name] of names.entries()) if (here[place] === undefined) fill(place, named.get(name));
  }
  return here;
}
