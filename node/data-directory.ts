import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The data directory cannot be used; it was left as it was. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/**
 * Makes sure that the directory exists and belongs to this cluster's network: it keeps a fingerprint of the network
 * key that it was first used with. Throws `DataDirectoryError` otherwise.
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
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known === fingerprint) return;
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
  await writeFile(file, fingerprint, { mode: 0o600 });
}
