import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { defaultOptions } from '../../consensus/options.ts';

const page = readFileSync(new URL('../../docs/consensus.md', import.meta.url), 'utf8');

/** Runs the example as a stranger would: copied out of the page, in a file of its own. */
async function runExample(): Promise<string> {
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(page) ?? [];
  const library = new URL('../../consensus/raft.ts', import.meta.url).href;
  const folder = mkdtempSync(join(tmpdir(), 'consensus-page-'));
  try {
    const file = join(folder, 'example.mts');
    writeFileSync(file, code.replace('./consensus/raft.ts', library));
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('docs/consensus.md', () => {
  it('has an example that runs as it stands, and commits on every node', async () => {
    const said = await runExample();
    expect(said.trim().split('\n').sort()).toEqual(['a hello', 'b hello', 'c hello']);
  });

  it('names every option with its default', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| ([\d.]+|false) \|/gm)].map(([, name, value]) => [
      name,
      JSON.parse(value ?? ''),
    ]);
    expect(Object.fromEntries(rows)).toEqual(defaultOptions);
  });

  it('draws every role', () => {
    for (const role of ['follower', 'preCandidate', 'candidate', 'leader']) expect(page).toContain(`--> ${role}`);
  });
});
