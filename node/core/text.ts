const encoder = new TextEncoder();
const decoder = new TextDecoder();
const chunkBytes = 8_192;

export const toBytes = (text: string): Uint8Array => encoder.encode(text);
export const fromBytes = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Why a task was refused, in the form of a result. */
export const reasonBytes = (reason: string, more: object = {}): Uint8Array =>
  toBytes(JSON.stringify({ reason, ...more }));

/** The reverse of `reasonBytes`, of whatever came from an agent or another node. */
export function whyIn(value: Uint8Array): { reason: string; tries: number } {
  try {
    const { reason, tries } = JSON.parse(fromBytes(value)) as { reason?: unknown; tries?: unknown };
    return { reason: String(reason), tries: Number(tries ?? 0) };
  } catch {
    return { reason: 'no reason given', tries: 0 };
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    binary += String.fromCharCode(...bytes.subarray(at, at + chunkBytes));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** JSON in which byte arrays survive, as `{"$bytes": base64}`. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, part) {
    const raw = this[key];
    return raw instanceof Uint8Array ? { $bytes: toBase64(raw) } : part;
  });
}

/** The reverse of `toJson`; throws `SyntaxError` on anything else. */
export function fromJson(text: string): unknown {
  // Most texts hold no bytes, and to look at every part of them costs several times as much.
  if (!text.includes('"$bytes"')) return JSON.parse(text);
  return JSON.parse(text, (_key, part) => (typeof part?.$bytes === 'string' ? fromBase64(part.$bytes) : part));
}
