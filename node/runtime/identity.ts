import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey } from '@libp2p/interface';

/** The identity file cannot be used; it was left as it is. */
export class IdentityDamaged extends Error {
  override readonly name = 'IdentityDamaged';
}

/** The file of the key in the data directory. */
export const identityFileName = 'identity.key';

/** The node's Ed25519 key: made at the first start and kept in the data directory, readable by its owner alone. */
export async function loadIdentity(directory: string): Promise<Ed25519PrivateKey> {
  const file = join(directory, identityFileName);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const key = await generateKeyPair('Ed25519');
    const fresh = `${file}.new`;
    await writeFile(fresh, privateKeyToProtobuf(key), { mode: 0o600, flush: true });
    await rename(fresh, file);
    return key;
  }
  try {
    const key = privateKeyFromProtobuf(bytes);
    if (key.type === 'Ed25519') return key;
  } catch {
    // told below, without the key material that the cause may carry
  }
  throw new IdentityDamaged(
    `The identity of this node, ${file}, is damaged. Nothing was changed. Restore it, or start with an empty data ` +
      'directory: the node joins as a new member and gets its state from the others.',
  );
}
