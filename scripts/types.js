// Declarations of what authors of agents import, for those who have the package and not its sources.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const project = join(root, 'tsconfig.types.json');
const imported = /(?<=\b(?:from|import\()\s*['"])(\.[^'"]+)\.ts(?=['"])/g;

/**
 * The declarations of the files that the project names, and of what these import: by their paths, their text. What only the
 * code needs is left out. Throws what the compiler says.
 */
export async function declarations() {
  const directory = await mkdtemp(join(tmpdir(), 'conclave-types-'));
  try {
    const compiler = join(root, 'node_modules', '.bin', 'tsc');
    await promisify(execFile)(compiler, ['-p', project, '--outDir', directory], { cwd: root }).catch(
      ({ stdout, message }) => Promise.reject(new Error(stdout || message)),
    );
    const { files } = JSON.parse(await readFile(project, 'utf8'));
    const found = new Map();
    const wanted = files.map((file) => file.replace(/\.ts$/, ''));
    for (const name of wanted) {
      const path = `${name}.d.ts`;
      if (found.has(path)) continue;
      const text = await readFile(join(directory, path), 'utf8');
      for (const [, other] of text.matchAll(imported)) wanted.push(join(dirname(name), other));
      found.set(path, text.replace(imported, '$1.js'));
    }
    return found;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
