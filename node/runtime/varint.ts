/** A little-endian base-128 number as LevelDB and protobuf write it. Throws `RangeError` when it does not end. */
export function readVarint(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let place = 0; place < 10; place++) {
    const byte = bytes[at + place];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * place);
    if (byte < 0x80) return { value, next: at + place + 1 };
  }
  throw new RangeError(`the number at byte ${at} does not end`);
}
