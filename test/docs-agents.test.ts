import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const names = ['agent.ts', 'reader.ts', 'agent.test.ts', 'cents.ts'];
let folder: string;

/** The modules of docs/agents.md as files of a folder that depends on this package, as an author's does. */
beforeAll(async () => {
  const { buildAll, isStale } = await import(new URL('../scripts/build.js', import.meta.url).href);
  if (isStale()) await buildAll();
  folder = await mkdtemp(join(tmpdir(), 'author-'));
  const text = await readFile(join(root, 'docs', 'agents.md'), 'utf8');
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)]
    .map(([, code]) => code ?? '')
    .filter((code) => code.startsWith('import'));
  if (blocks.length !== names.length) throw new Error(`there are ${blocks.length} blocks, not ${names.length}`);
  for (const [at, name] of names.entries()) await writeFile(join(folder, name), blocks[at] ?? '');
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await mkdir(join(folder, 'node_modules', '@types'), { recursive: true });
  await symlink(root, join(folder, 'node_modules', 'conclave'));
  await symlink(join(root, 'node_modules', '@types', 'node'), join(folder, 'node_modules', '@types', 'node'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('the code of docs/agents.md has no type errors', () => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, folder);
  const program = ts.createProgram({ rootNames: names.map((name) => join(folder, name)), options });
  const found = ts.getPreEmitDiagnostics(program);
  expect(
    found.map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
  ).toEqual([]);
});

test('the test in docs/agents.md passes', async () => {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', 'agent.test.ts'], { cwd: folder, env });
  expect(stdout).toMatch(/pass 1\n/);
});
