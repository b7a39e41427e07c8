import { fromBytes, toBytes } from '../core/text.ts';

type Raw = (text: string) => unknown;
type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;

const { rawJSON } = JSON as unknown as { rawJSON?: Raw };
const parseWith = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** A number that may have more digits than a JavaScript number keeps. */
const longNumber = /\d{16}|\d[eE]/;

/** Other languages have larger whole numbers than JavaScript: such a one stays the text that it was. */
function keepNumber(this: unknown, _key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== 'number' || source === undefined || String(value) === source) return value;
  return rawJSON?.(source) ?? value;
}

/** What a line says, numbers kept to the last digit. Throws `SyntaxError`, or `RangeError` on one too deep. */
export function parseLine(line: string): unknown {
  return longNumber.test(line) ? parseWith(line, keepNumber) : JSON.parse(line);
}

/** Bytes of a value that `parseLine` gave. */
export const jsonBytes = (value: unknown): Uint8Array => toBytes(JSON.stringify(value));

/** JSON text as a part of one line. Throws `SyntaxError` when it is none. */
export function asLinePart(bytes: Uint8Array): string {
  const text = fromBytes(bytes);
  JSON.parse(text);
  // Valid JSON has line ends between its parts only.
  return /[\n\r]/.test(text) ? text.replaceAll(/[\n\r]/g, ' ') : text;
}
