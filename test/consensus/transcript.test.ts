import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { play } from './transcript.ts';

const folder = join(import.meta.dirname, 'transcripts');
const files = readdirSync(folder).filter((file) => file.endsWith('.transcript'));

/** A story is its own expectation: played again it must read the same. After a wanted change: `vitest -u`, and read it. */
describe('a transcript', () => {
  it.each(files)('%s is played as it was written', async (file) => {
    const path = join(folder, file);
    await expect(play(readFileSync(path, 'utf8'))).toMatchFileSnapshot(path);
  });

  it('cannot ask for what nobody can play', () => {
    expect(() => play('s1 dances')).toThrow('s1 dances');
  });
});
