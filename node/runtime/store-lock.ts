import { access, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Level } from 'level';
import { isLockHeld } from './store-errors.ts';

/**
 * Runs `use` while no other process can open the store of a directory, and without opening it. Returns undefined, and
 * runs nothing, when another process has it open.
 *
 * LevelDB locks the file "LOCK", which Node cannot do by itself: an empty database that has a link to that file in
 * place of its own lock takes the lock for us.
 */
export async function withStoreLocked<T>(directory: string, use: () => Promise<T>): Promise<T | undefined> {
  const lock = resolve(directory, 'LOCK');
  const isThere = await access(lock).then(
    () => true,
    () => false,
  );
  // No LevelDB has been here.
  if (!isThere) return use();
  const beside = await mkdtemp(`${resolve(directory)}.lock-`);
  try {
    await symlink(lock, join(beside, 'LOCK'));
    const database = new Level(beside);
    try {
      await database.open();
    } catch (error) {
      const { message, cause } = error as Error;
      if (isLockHeld(`${message} ${cause instanceof Error ? cause.message : ''}`)) return undefined;
      throw error;
    }
    try {
      return await use();
    } finally {
      await database.close();
    }
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}
