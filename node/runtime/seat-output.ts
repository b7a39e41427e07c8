import type { Writable } from 'node:stream';

type Write = (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;

const open = '\u0001';
const close = '\u0002';
const mark = new RegExp(`${open}(\\d{0,4})${close}`);

/** Has each piece that is written begin with the seat whose code writes it: agents in one thread share its streams. */
export function markOutput(stream: Writable, seatOf: () => number | undefined): void {
  const write = stream.write.bind(stream) as Write;
  const marked: Write = (chunk, encoding, ...rest) => {
    const isText = typeof encoding === 'string';
    const bytes =
      typeof chunk === 'string' ? Buffer.from(chunk, isText ? (encoding as BufferEncoding) : 'utf8') : chunk;
    const whole = Buffer.concat([Buffer.from(`${open}${seatOf() ?? ''}${close}`), bytes]);
    return isText ? write(whole, ...rest) : write(whole, encoding, ...rest);
  };
  Object.defineProperty(stream, 'write', { value: marked, writable: true, configurable: true });
}

/** The pieces of what a thread wrote, each with its seat; none where no agent's code wrote it. */
export function piecesOf(text: string): { seat: number | undefined; text: string }[] {
  // What comes before the first mark, then a seat and its text in turns.
  const [, ...parts] = text.split(mark);
  return Array.from({ length: parts.length / 2 }, (_, at) => {
    const seat = parts[2 * at] ?? '';
    return { seat: seat === '' ? undefined : Number(seat), text: parts[2 * at + 1] ?? '' };
  });
}
