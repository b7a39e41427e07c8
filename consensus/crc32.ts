const first = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

/** What a byte does to the sum when `place` more follow it: eight bytes are taken at a time (Kounavis and Berry, 2005). */
const tables: readonly Uint32Array[] = (() => {
  const all = [first];
  for (let place = 1; place < 8; place += 1) {
    const before = all[place - 1] as Uint32Array;
    all.push(before.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] as number)));
  }
  return all;
})();
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as unknown as [
  ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array],
  ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array],
];
const at = (table: Uint32Array, byte: number): number => table[byte & 0xff] as number;

/** CRC-32 (IEEE 802.3) of bytes, or going on from the value of those before them. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  const byte = (n: number): number => bytes[n] as number;
  const eights = bytes.length - (bytes.length % 8);
  for (let n = 0; n < eights; n += 8) {
    crc ^= byte(n) | (byte(n + 1) << 8) | (byte(n + 2) << 16) | (byte(n + 3) << 24);
    const older = at(t7, crc) ^ at(t6, crc >>> 8) ^ at(t5, crc >>> 16) ^ at(t4, crc >>> 24);
    crc = older ^ at(t3, byte(n + 4)) ^ at(t2, byte(n + 5)) ^ at(t1, byte(n + 6)) ^ at(t0, byte(n + 7));
  }
  for (let n = eights; n < bytes.length; n += 1) crc = at(t0, crc ^ byte(n)) ^ (crc >>> 8);
  return ~crc >>> 0;
}
