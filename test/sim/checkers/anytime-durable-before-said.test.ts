import { expect, test } from 'vitest';
import type { Write } from '../../../node/core/effect.ts';
import type { Message } from '../../../node/core/message.ts';
import { keys, writeJson } from '../../../node/core/records.ts';
import { DurableBeforeSaid } from '../../../sim/checkers/anytime-durable-before-said.ts';
import { message, putEntry, putHolder } from './planted.ts';

/** n1 tells n2 something, with this on its disk. */
function say(what: Message, ...disk: Write[]): void {
  const records = new Map(disk.map(({ key, value }) => [key, value]));
  const checker = new DurableBeforeSaid((node, key) => (node === 'n1' ? records.get(key) : undefined));
  checker.durable('n1', disk);
  checker.sent('n1', 'c', what, 'n2');
}

const hard = (term: number, vote: string): Write => writeJson(keys.hardState, { term, vote });

const said: [string, Message, right: Write[][], wrong: Write[][]][] = [
  [
    'that it votes for it',
    message('voteReply', { term: 5 }),
    [[hard(5, 'n2')], [hard(6, '')]],
    [[], [hard(5, 'n3')], [hard(5, '')], [hard(4, 'n2')]],
  ],
  ['that it stands', message('voteRequest', { term: 5 }), [[hard(5, 'n1')], [hard(6, 'n3')]], [[], [hard(4, 'n1')]]],
  [
    'that it has the log up to 7',
    message('appendReply', { term: 5, matchIndex: 7 }),
    [[putEntry(7, 5)], [putEntry(7, 3)], [putEntry(6, 6), hard(6, '')]],
    [[], [putEntry(6, 5)], [putEntry(7, 6)], [putEntry(6, 5), hard(6, '')]],
  ],
  [
    'that it sealed a at 4',
    message('sealed', { epoch: 4 }),
    [[putHolder('a', 4, 3, 1)], [putHolder('a', 5, 3, 1)]],
    [[], [putHolder('a', 3, 3, 1)], [putHolder('b', 4, 3, 1)]],
  ],
  [
    'that it keeps step 8 of a in epoch 4',
    message('replicated', { epoch: 4, sequence: 8 }),
    [[putHolder('a', 4, 4, 8)], [putHolder('a', 4, 4, 9)], [putHolder('a', 5, 5, 1)]],
    [[], [putHolder('a', 4, 4, 7)], [putHolder('a', 4, 3, 9)]],
  ],
];

test.each(said)('%s: right with that on its disk, else a violation', (what, frame, right, wrong) => {
  for (const disk of right) expect(() => say(frame, ...disk)).not.toThrow();
  for (const disk of wrong) expect(() => say(frame, ...disk)).toThrow(`n1 told n2 ${what}`);
});

test('what was deleted in the batch that made it durable was on the disk all the same', () => {
  say(message('sealed', { epoch: 4 }), putHolder('a', 4, 3, 1), { key: keys.holder('a'), value: undefined });
});

test('what promises nothing needs no disk', () => {
  say(message('voteReply', { pre: true }));
  say(message('voteReply', { granted: false }));
  say(message('voteRequest', { pre: true }));
  say(message('appendReply', { success: false, matchIndex: 7 }));
  say(message('appendReply', { matchIndex: 0 }));
  say(message('sealed', { granted: false }));
  say(message('replicated', { accepted: false }));
  say(message('probe'));
});
