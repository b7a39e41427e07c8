import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from './fleet.ts';

const filesMax = 2_000;
const programBytesMax = 128 * 1024 * 1024;

/** The built program of a node, as `npm run build` leaves it in dist/. */
export interface Program {
  directory: string;
  /** Paths within the directory, sorted. What only the command line needs is not among them. */
  files: string[];
  /** Changes when the program does. */
  hash: string;
}

/** The command line, the simulator that it starts, and what authors of agents import. */
const notForNodes: ReadonlySet<string> = new Set([
  'agent.mjs',
  'testing.mjs',
  'cli.mjs',
  'sim.mjs',
  'recover.mjs',
  'report-viewer.js',
  'build.json',
]);

/** Source maps and declarations are not either. */
function isForNodes(path: string): boolean {
  return !path.endsWith('.map') && !path.startsWith('types/') && !notForNodes.has(path);
}

/** Lists the program and finds its hash: the one that the build noted, else over all contents. */
export async function readProgram(directory: string): Promise<Program> {
  const files = await listFiles(directory);
  if (!files.includes('node.mjs')) {
    throw new FleetError(
      `There is no built program in ${directory} (node.mjs is missing). Nothing was changed. Run "npm run build" first.`,
    );
  }
  return { directory, files, hash: (await notedHash(directory)) ?? (await contentHash(directory, files)) };
}

async function listFiles(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true });
    const paths = entries.map((path) => path.replaceAll('\\', '/')).filter(isForNodes);
    if (paths.length > filesMax)
      throw new FleetError(`${directory} has more than ${filesMax} files. Nothing was changed.`);
    const files: string[] = [];
    let bytes = 0;
    for (const path of paths.sort()) {
      const { size, isFile } = await stat(join(directory, path)).then((s) => ({ size: s.size, isFile: s.isFile() }));
      if (!isFile) continue;
      files.push(path);
      bytes += size;
    }
    if (bytes <= programBytesMax) return files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  throw new FleetError(
    `${directory} holds more than ${programBytesMax} bytes, which is no Conclave program. Nothing was changed. ` +
      'Remove what does not belong there, or run "npm run build" again.',
  );
}

async function notedHash(directory: string): Promise<string | undefined> {
  try {
    const { hash } = JSON.parse(await readFile(join(directory, 'build.json'), 'utf8')) as { hash?: unknown };
    return typeof hash === 'string' && /^[0-9a-f]{12,}$/.test(hash) ? hash : undefined;
  } catch {
    return undefined;
  }
}

async function contentHash(directory: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) {
    const bytes = await readFile(join(directory, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}
