import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** The data directory cannot be used; it was left as it was. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** What the directory says of its network is not what was written; it was left as it was. */
export class DataDirectoryDamaged extends Error {
  override readonly name = 'DataDirectoryDamaged';
}

/** The file "network" as written: what it is, the fingerprint, and a checksum that tells damage from another network. */
function seal(fingerprint: string): string {
  return `conclave network 1 ${fingerprint} ${crc32(fingerprint).toString(16).padStart(8, '0')}\n`;
}

function isSealed(text: string): boolean {
  const fingerprint = /^conclave network 1 ([0-9a-f]{64}) /.exec(text)?.[1];
  return fingerprint !== undefined && text === seal(fingerprint);
}

/** The text of a file; undefined when there is none. */
async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DataDirectoryError(
      `The file ${file} cannot be read: ${(error as Error).message}. Nothing was changed. ` +
        'See to its permissions, or set CONCLAVE_DATA to a directory of this user.',
    );
  }
}

/**
 * Makes sure that the directory exists and belongs to this cluster's network: it keeps a fingerprint of the network
 * key that it was first used with. Throws `DataDirectoryError` or `DataDirectoryDamaged` otherwise.
 */
export async function claimDataDirectory(directory: string, networkKey: Uint8Array | undefined): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new DataDirectoryError(
      `The data directory ${directory} cannot be made: ${(error as Error).message}. Nothing was changed. ` +
        'Set CONCLAVE_DATA to a directory that this user may write to.',
    );
  }
  const fingerprint = createHash('sha256')
    .update(networkKey ?? 'open')
    .digest('hex');
  const file = join(directory, 'network');
  const known = await readIfThere(file);
  if (known === seal(fingerprint)) return;
  if (known !== undefined && !isSealed(known)) {
    throw new DataDirectoryDamaged(
      `The file ${file}, which says what cluster this data directory belongs to, is damaged. Nothing was changed. ` +
        'Restore it, or start with an empty data directory: the node joins as a new member and gets its state from ' +
        'the others.',
    );
  }
  if (known !== undefined) {
    throw new DataDirectoryError(
      `The data directory ${directory} belongs to a node of another cluster: its network key is not this one. ` +
        "Nothing was changed. Point CONCLAVE_DATA to this cluster's directory, or to an empty one for a new node.",
    );
  }
  if ((await readdir(directory)).length > 0 && (await readdir(directory)).includes('store')) {
    throw new DataDirectoryError(
      `The data directory ${directory} has a store but no network fingerprint: a file was removed. ` +
        'Nothing was changed. Restore the file "network", or start with an empty directory as a new node.',
    );
  }
  const fresh = `${file}.new`;
  await writeFile(fresh, seal(fingerprint), { mode: 0o600, flush: true });
  await rename(fresh, file);
}
