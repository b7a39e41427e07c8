import { describe, expect, test } from 'vitest';
import { AttachFrames } from '../../node/runtime/attach-frames.ts';

function frame(stream: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

const said = Buffer.concat([
  frame(1, 'one\n'),
  frame(2, 'ö'),
  frame(1, ''),
  frame(1, 'two'),
  frame(2, ''),
  frame(1, '\n'),
]);

function taken(pieces: readonly Buffer[]): { output: string; errors: string } {
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  const frames = new AttachFrames({
    output: (chunk) => output.push(Buffer.from(chunk)),
    errors: (chunk) => errors.push(Buffer.from(chunk)),
  });
  for (const piece of pieces) frames.push(piece);
  return { output: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString() };
}

const whole = { output: 'one\ntwo\n', errors: 'ö' };

describe('the frames of an attached container', () => {
  test('are taken apart, wherever they are cut once', () => {
    for (let at = 0; at <= said.byteLength; at++) {
      expect(taken([said.subarray(0, at), said.subarray(at)])).toEqual(whole);
    }
  });

  test('are taken apart, wherever they are cut twice, and byte by byte', () => {
    for (let first = 0; first <= said.byteLength; first++) {
      for (let second = first; second <= said.byteLength; second++) {
        const pieces = [said.subarray(0, first), said.subarray(first, second), said.subarray(second)];
        expect(taken(pieces)).toEqual(whole);
      }
    }
    expect(taken([...said].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test('are passed on before they are whole', () => {
    expect(taken([said.subarray(0, 10)])).toEqual({ output: 'on', errors: '' });
  });

  test('are refused when they are none, after what came before', () => {
    for (const head of [
      '0000000000000001',
      '0300000000000001',
      '0101000000000001',
      '0100000100000001',
      '7b22616263646566',
    ]) {
      expect(() => taken([Buffer.from(head, 'hex')])).toThrow(RangeError);
      expect(() => taken([said, Buffer.from(head, 'hex')])).toThrow(head);
    }
  });
});
