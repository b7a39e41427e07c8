import { describe, expect, test } from 'vitest';
import { ResultTable } from '../../node/core/result-table.ts';
import { limits } from '../../node/core/settings.ts';

const result = (sequence: number, valueBytes = 0) => ({
  task: `t${sequence}`,
  sequence,
  ok: true,
  value: new Uint8Array(valueBytes),
  valueDropped: false,
});

/** A table with the results of these sequences. */
function tableOf(from: number, to: number, valueBytes = 0): ResultTable {
  const table = new ResultTable();
  for (let sequence = from; sequence <= to; sequence++) table.add(result(sequence, valueBytes));
  return table;
}

const sequences = (results: readonly { sequence: number }[] | undefined) => results?.map(({ sequence }) => sequence);

describe('the table of results', () => {
  test('gives what came after a sequence, and nothing when some of it is forgotten', () => {
    const table = tableOf(3, 6);
    expect(sequences(table.after(4))).toEqual([5, 6]);
    expect(sequences(table.after(2))).toEqual([3, 4, 5, 6]);
    expect(table.after(1)).toBeUndefined();
    expect(new ResultTable().after(0)).toBeUndefined();
  });

  test('goes on to do so long after it began to forget', () => {
    const last = 3 * limits.resultsMax;
    const table = tableOf(1, last);
    expect(table.all()).toHaveLength(limits.resultsMax);
    expect(sequences(table.after(last - 2))).toEqual([last - 1, last]);
    expect(sequences(table.add(result(last + 1)).removed)).toEqual([last + 1 - limits.resultsMax]);
    expect(table.get(`t${last + 1 - limits.resultsMax}`)).toBeUndefined();
    expect(table.after(last - limits.resultsMax)).toBeUndefined();
  });

  test('tells of a result without its value what it is, in every way of reading', () => {
    const bytes = limits.resultBytesMax;
    const last = limits.resultsBytesMax / bytes + 1;
    const table = tableOf(1, last, bytes);
    expect(table.get('t1')?.valueDropped).toBe(true);
    expect(table.all()[0]?.valueDropped).toBe(true);
    expect(
      table
        .after(0)
        ?.map(({ valueDropped }) => valueDropped)
        .indexOf(false),
    ).toBe(1);
  });
});
