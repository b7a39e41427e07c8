import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { generateKey } from '@libp2p/pnet';
import { checkClusterName, type FleetHome, type NodeSecrets } from '../../docker/fleet.ts';

/** Length of a libp2p pre-shared key file: two header lines and 32 bytes in base 16. */
const networkKeyBytes = '/key/swarm/psk/1.0.0/\n/base16/\n'.length + 64;

const files = {
  tokenPrivateKey: 'token-private.pem',
  tokenPublicKey: 'token-public.pem',
  networkKey: 'network.key',
};

/** What is written down about a cluster beside its secrets. */
export interface HomeNote {
  kind: 'docker' | 'processes';
  name: string;
}

/** The state directory of one cluster on the host: 0700, its files 0600. */
export interface Home extends FleetHome {
  note(): Promise<HomeNote | undefined>;
  writeNote(note: HomeNote): Promise<void>;
  /** Removes the directory if nothing is in it. */
  tidy(): Promise<void>;
  /** PEM (PKCS #8) of the key that signs tokens, if there is one. */
  tokenPrivateKey(): Promise<string | undefined>;
}

export interface HomeOptions {
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
}

/**
 * Where the state of the cluster of that name is: `.conclave/<name>` in the working directory, or `<name>` in the
 * directory that CONCLAVE_HOME names. Nothing is made. Throws `FleetError` for a name that no cluster can have.
 */
export function homeDirectory(name: string, { env = process.env, cwd = process.cwd() }: HomeOptions = {}): string {
  checkClusterName(name);
  return join(resolve(cwd, env['CONCLAVE_HOME'] || '.conclave'), name);
}

/** Opens the state directory; it is made with its first file. */
export function openHome(directory: string): Home {
  return new DirectoryHome(resolve(directory));
}

class DirectoryHome implements Home {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  async secrets(): Promise<NodeSecrets | undefined> {
    const networkKey = await this.#read(this.#secret(files.networkKey));
    const tokenPublicKey = await this.#read(this.#secret(files.tokenPublicKey));
    return networkKey === undefined || tokenPublicKey === undefined ? undefined : { networkKey, tokenPublicKey };
  }

  async makeSecrets(): Promise<NodeSecrets> {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const networkKey = new Uint8Array(networkKeyBytes);
    generateKey(networkKey);
    await this.#write(this.#secret(files.tokenPrivateKey), privateKey);
    await this.#write(this.#secret(files.tokenPublicKey), publicKey);
    await this.#write(this.#secret(files.networkKey), networkKey);
    return { networkKey, tokenPublicKey: Buffer.from(publicKey) };
  }

  async tokenPrivateKey(): Promise<string | undefined> {
    return (await this.#read(this.#secret(files.tokenPrivateKey)))?.toString('utf8');
  }

  async note(): Promise<HomeNote | undefined> {
    const text = await this.#read(join(this.directory, 'cluster.json'));
    if (text === undefined) return undefined;
    try {
      const { kind, name } = JSON.parse(text.toString('utf8')) as Partial<HomeNote>;
      return (kind === 'docker' || kind === 'processes') && typeof name === 'string' ? { kind, name } : undefined;
    } catch {
      return undefined;
    }
  }

  async writeNote(note: HomeNote): Promise<void> {
    await this.#write(join(this.directory, 'cluster.json'), `${JSON.stringify(note)}\n`);
  }

  async forget(): Promise<void> {
    for (const entry of ['secrets', 'nodes', 'cluster.json']) {
      await rm(join(this.directory, entry), { recursive: true, force: true });
    }
    await this.tidy();
  }

  async tidy(): Promise<void> {
    await removeIfEmpty(this.directory);
    if (dirname(this.directory).endsWith('.conclave')) await removeIfEmpty(dirname(this.directory));
  }

  #secret(file: string): string {
    return join(this.directory, 'secrets', file);
  }

  async #read(path: string): Promise<Buffer | undefined> {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Whole or not at all, and never readable by others, not even for a moment. */
  async #write(path: string, content: string | Uint8Array): Promise<void> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await chmod(this.directory, 0o700);
    await writeFile(`${path}.new`, content, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
}

async function removeIfEmpty(directory: string): Promise<void> {
  const entries = await readdir(directory).catch(() => undefined);
  if (entries?.length === 0) await rmdir(directory).catch(() => {});
}
