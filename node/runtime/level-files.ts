import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readLog } from './level-log.ts';
import { readManifest } from './level-manifest.ts';
import { checkTable } from './level-table.ts';
import { StoreDamaged, StoreUnavailable } from './store-errors.ts';

const padded = (number: number): string => String(number).padStart(6, '0');

/**
 * Checks the files of a LevelDB directory before they are opened: with its default settings LevelDB opens a damaged
 * one in silence, and what was damaged is missing. Throws `StoreDamaged`, or `StoreUnavailable` for files that this process
 * may not or cannot read; reads only.
 */
export async function checkLevelFiles(directory: string): Promise<void> {
  const files = await readdir(directory).catch((): string[] => []);
  if (!files.some((file) => /^(CURRENT|MANIFEST-|\d+\.(log|ldb|sst))/.test(file))) return;
  const damaged = (file: string, what: string) => new StoreDamaged(directory, `${file}: ${what}`);
  const checked = async <T>(file: string, check: (bytes: Uint8Array) => T): Promise<T> => {
    try {
      return check(await readFile(join(directory, file)));
    } catch (error) {
      const { message, code, syscall } = error as NodeJS.ErrnoException;
      if (syscall === undefined || code === 'ENOENT' || code === 'EIO') throw damaged(file, message);
      throw new StoreUnavailable(directory, message);
    }
  };
  const current = await checked('CURRENT', (bytes) => Buffer.from(bytes).toString('latin1'));
  if (!/^MANIFEST-\d{6,}\n$/.test(current)) throw damaged('CURRENT', 'it does not name a manifest');
  const manifest = await checked(current.trim(), (bytes) => readManifest(readLog(bytes)));
  for (const file of files.filter((name) => name.endsWith('.log'))) await checked(file, readLog);
  if (manifest.logNumber > 0 && !files.includes(`${padded(manifest.logNumber)}.log`)) {
    throw damaged(`${padded(manifest.logNumber)}.log`, 'it is missing');
  }
  for (const [table, size] of manifest.tables) {
    const file = [`${padded(table)}.ldb`, `${padded(table)}.sst`].find((name) => files.includes(name));
    if (file === undefined) throw damaged(`${padded(table)}.ldb`, 'it is missing');
    if ((await stat(join(directory, file))).size !== size) throw damaged(file, `it does not have its ${size} bytes`);
    await checked(file, checkTable);
  }
}
