import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const checkers = join(import.meta.dirname, '../../../sim/checkers');

test('every checker has a self-test of its name, and every self-test a checker', () => {
  const pattern = /^((?:anytime|eventually)-[a-z-]+)(\.test)?\.ts$/;
  const namesIn = (folder: string): string[] =>
    readdirSync(folder)
      .flatMap((file) => pattern.exec(file)?.[1] ?? [])
      .sort();
  expect(namesIn(checkers).length).toBeGreaterThan(10);
  expect(namesIn(import.meta.dirname)).toEqual(namesIn(checkers));
});
