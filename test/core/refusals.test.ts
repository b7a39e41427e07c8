import { describe, expect, test } from 'vitest';
import { Refusals, type Refused } from '../../node/core/refusals.ts';
import { reasonBytes } from '../../node/core/text.ts';

const nothing = new Uint8Array(0);
const refused = { task: 'a', ok: false, value: reasonBytes('no') };
const done = { task: 'b', ok: true, value: nothing };

function watch(isWatched = true) {
  const said: Refused[] = [];
  return { said, refusals: new Refusals((one) => void said.push(one), isWatched) };
}

describe('how tasks fare with a new version', () => {
  test('is told from the first refusal on, and once more when one was done', () => {
    const { said, refusals } = watch();
    refusals.tell();
    expect(said).toEqual([]);
    refusals.noted(refused);
    refusals.noted(refused);
    refusals.noted(done);
    refusals.noted(refused);
    expect(said).toEqual([
      { refused: 1, done: false, reason: 'no' },
      { refused: 2, done: false, reason: 'no' },
      { refused: 2, done: true, reason: 'no' },
    ]);
    refusals.end();
    refusals.tell();
    expect(said).toHaveLength(3);
  });

  test('is not what was cancelled, set aside or begun, nor what a branch brought', () => {
    const { said, refusals } = watch();
    const aside = { payload: nothing, key: '', priority: 5, tries: 3, reason: 'it ends', retriedBy: '' };
    refusals.noted({ ...refused, cancelled: true });
    refusals.noted({ ...refused, tries: 1 });
    refusals.noted({ ...refused, aside });
    refusals.noted({ ...refused, task: '~b:x' });
    expect(said).toEqual([]);
  });

  test('is nobody’s concern where the version is not watched', () => {
    const { said, refusals } = watch(false);
    refusals.noted(refused);
    expect(said).toEqual([]);
  });
});
