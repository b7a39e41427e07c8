import { crc32 } from 'node:zlib';
import { Level } from 'level';
import type { Write } from '../core/effect.ts';
import { checkLevelFiles } from './level-files.ts';
import type { Store } from './ports.ts';
import { StoreBusy, StoreDamaged, StoreFull, StoreUnavailable } from './store-errors.ts';

export { storeExitCode } from './store-errors.ts';

type Database = Level<string, Uint8Array>;

const recordVersion = 1;
const headerBytes = 5;

/** A record as stored: version, checksum of key and value, value. A value under another key does not pass. */
function seal(key: string, value: Uint8Array): Uint8Array {
  const record = new Uint8Array(headerBytes + value.byteLength);
  record[0] = recordVersion;
  new DataView(record.buffer).setUint32(1, crc32(value, crc32(key)));
  record.set(value, headerBytes);
  return record;
}

/** The value of a record; undefined when it is not what was written. */
function unseal(key: string, record: Uint8Array): Uint8Array | undefined {
  if (record.byteLength < headerBytes || record[0] !== recordVersion) return undefined;
  const value = record.subarray(headerBytes);
  const crc = new DataView(record.buffer, record.byteOffset, headerBytes).getUint32(1);
  return crc === crc32(value, crc32(key)) ? value.slice() : undefined;
}

/** Durable records on LevelDB: each batch is atomic and synced, each record carries its own checksum. */
class LevelStore implements Store {
  readonly #directory: string;
  readonly #database: Database;
  #failure: Error | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(directory: string, database: Database) {
    this.#directory = directory;
    this.#database = database;
  }

  async load(): Promise<Map<string, Uint8Array>> {
    const records = new Map<string, Uint8Array>();
    for await (const [key, record] of this.#database.iterator()) {
      const value = unseal(key, record);
      if (value === undefined) throw new StoreDamaged(this.#directory, `the record "${key}" is not what was written`);
      records.set(key, value);
    }
    return records;
  }

  write(batch: readonly Write[]): Promise<void> {
    this.#last = this.#last.then(() => this.#write(batch));
    return this.#last;
  }

  async #write(batch: readonly Write[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await this.#database.batch(
        batch.map(({ key, value }) =>
          value === undefined ? { type: 'del', key } : { type: 'put', key, value: seal(key, value) },
        ),
        { sync: true },
      );
    } catch (error) {
      // After a failed sync nobody knows what is on the disk: final for this process.
      this.#failure = writeError(this.#directory, error);
      throw this.#failure;
    }
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#database.close();
  }
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : String(message);
}

function writeError(directory: string, error: unknown): Error {
  const cause = causeOf(error);
  return /No space left|ENOSPC|EDQUOT|quota/i.test(cause)
    ? new StoreFull(directory)
    : new StoreUnavailable(directory, cause);
}

export interface StoreOptions {
  /** Size at which LevelDB moves its log into a table, bytes. */
  writeBufferBytes?: number;
}

/**
 * Opens the store of a directory, making it when it is new. Throws `StoreDamaged`, `StoreBusy`, `StoreFull` or
 * `StoreUnavailable`; nothing is changed then.
 */
export async function openStore(directory: string, options: StoreOptions = {}): Promise<Store> {
  // Before the database is made: it begins to open itself, and to change files, on its own.
  await checkLevelFiles(directory);
  const database: Database = new Level(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    // Tables are checked before they are opened, and only uncompressed ones can be.
    compression: false,
    ...(options.writeBufferBytes !== undefined && { writeBufferSize: options.writeBufferBytes }),
  } as ConstructorParameters<typeof Level<string, Uint8Array>>[1]);
  try {
    await database.open();
  } catch (error) {
    const cause = causeOf(error);
    if (/lock/i.test(cause)) throw new StoreBusy(directory);
    if (/corrupt/i.test(cause)) throw new StoreDamaged(directory, cause);
    throw writeError(directory, error);
  }
  return new LevelStore(directory, database);
}
