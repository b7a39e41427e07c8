import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SendTurns } from '../../node/runtime/send-turns.ts';

const turnBytesMax = 256 * 1024;

/** Sends what it has, as far as there is room in each turn. */
function sender(turns: SendTurns, name: string, sizes: number[], sent: string[]): () => void {
  const goOn = (): void => {
    while (sizes.length > 0 && turns.hasRoom(goOn)) {
      const [bytes = 0] = sizes.splice(0, 1);
      turns.sent(bytes);
      sent.push(name);
    }
  };
  return goOn;
}

test('all who send share what one turn may have, and each goes on in a later one', async () => {
  const turns = new SendTurns();
  const sent: string[] = [];
  const half = turnBytesMax / 2;
  sender(turns, 'a', [half, half, half, half, half, half], sent)();
  sender(turns, 'b', [half, half, half], sent)();
  expect(sent).toEqual(['a', 'a']);
  const perTurn: string[][] = [];
  while (sent.length < 9) {
    const before = sent.length;
    await nextTurn();
    perTurn.push(sent.slice(before));
  }
  // Who has much to send does not keep others waiting.
  const expected = [['a', 'a'], ['b', 'b'], ['a', 'a'], ['b']];
  expect(perTurn.filter((names) => names.length > 0)).toEqual(expected);
});

test('one write that is larger than a turn leaves alone', async () => {
  const turns = new SendTurns();
  const sent: string[] = [];
  sender(turns, 'a', [4 * turnBytesMax, 1], sent)();
  expect(sent).toEqual(['a']);
  await nextTurn();
  await nextTurn();
  expect(sent).toEqual(['a', 'a']);
});
