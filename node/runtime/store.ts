import { setTimeout as later } from 'node:timers';
import { Level } from 'level';
import type { Write } from '../core/effect.ts';
import { checkLevelFiles } from './level-files.ts';
import type { Store } from './ports.ts';
import {
  isCorruption,
  isLockHeld,
  StoreBusy,
  StoreDamaged,
  StoreFull,
  StoreOutdated,
  StoreUnavailable,
} from './store-errors.ts';
import { headKey, Ledger, reservedPrefix } from './store-ledger.ts';
import { withStoreLocked } from './store-lock.ts';
import { type Mark, MarkFile } from './store-mark.ts';
import { recordVersion, seal } from './store-record.ts';

export { storeExitCode } from './store-errors.ts';

/** What the store needs of LevelDB. */
export type Database = Pick<Level<string, Buffer>, 'open' | 'close' | 'batch' | 'iterator'>;

type Operation = { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string };

interface Opened {
  ledger: Ledger;
  records: Map<string, Uint8Array>;
  marks: MarkFile;
}

/** How long a durable batch may be without a mark. */
const markDelayMs = 1_000;
const readAtOnce = 1_000;

/**
 * Durable records on LevelDB: each batch is atomic and synced, and is accounted for by a head (`Ledger`) and, within a
 * second, by a mark (`MarkFile`).
 *
 * What is promised of a store that opens: it holds exactly what it held after one of its batches. Which one:
 * - after a process was killed or the power failed, the last acknowledged batch, or the one that was being written;
 * - when its end was cut off or an older copy of its files was put back, none before the mark, so what was written in
 *   the last second before a crash can be missing. LevelDB's log cannot tell such a cut from a torn last write. A store
 *   that was closed has its mark at its last batch.
 * Anything else does not open. That an older copy of the whole directory, mark included, was put back is nothing that a
 * disk can tell: the cluster does, as far as it has seen a later start of the node (`ClusterState.isOutdated`).
 */
class LevelStore implements Store {
  readonly #directory: string;
  readonly #database: Database;
  readonly #ledger: Ledger;
  readonly #marks: MarkFile;
  #records: Map<string, Uint8Array> | undefined;
  #failure: Error | undefined;
  #last: Promise<void> = Promise.resolve();
  #markTimer: NodeJS.Timeout | undefined;
  #marking: Promise<void> = Promise.resolve();
  #durable: Mark;

  constructor(directory: string, database: Database, { ledger, records, marks }: Opened) {
    this.#directory = directory;
    this.#database = database;
    this.#ledger = ledger;
    this.#records = records;
    this.#marks = marks;
    this.#durable = ledger.mark();
    this.#markSoon();
  }

  /** What was stored when the store was opened. It is handed over, once: the store keeps no copy of what it writes. */
  async load(): Promise<Map<string, Uint8Array>> {
    const records = this.#records;
    if (records === undefined) throw new Error('The records were handed over before. Nothing was read. Open it again.');
    this.#records = undefined;
    return records;
  }

  write(batch: readonly Write[]): Promise<void> {
    const reserved = batch.find(({ key }) => key.startsWith(reservedPrefix));
    if (reserved !== undefined) {
      const text = `The key "${reserved.key}" belongs to the store itself. Nothing was written. Use another key.`;
      return Promise.reject(new RangeError(text));
    }
    this.#last = this.#last.then(() => this.#write(batch));
    return this.#last;
  }

  async #write(batch: readonly Write[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (batch.length === 0) return;
    const operations = this.#account(batch);
    const mark = this.#ledger.mark();
    try {
      await this.#database.batch(operations, { sync: true });
    } catch (error) {
      // After a failed sync nobody knows what is on the disk: final for this process.
      this.#failure ??= writeError(this.#directory, error);
      throw this.#failure;
    }
    this.#durable = mark;
    this.#markSoon();
  }

  #markSoon(): void {
    this.#markTimer ??= later(() => this.#mark(), markDelayMs).unref();
  }

  /** The batch as LevelDB is to write it, its head at the end. */
  #account(batch: readonly Write[]): Operation[] {
    const ledger = this.#ledger;
    const origin = ledger.next();
    const operations: Operation[] = [];
    for (const { key, value } of batch) {
      if (value === undefined) {
        ledger.remove(key);
        operations.push({ type: 'del', key });
        continue;
      }
      const { record, digest } = seal(key, value, origin);
      ledger.put(key, digest);
      operations.push({ type: 'put', key, value: record });
    }
    operations.push({ type: 'put', key: headKey, value: ledger.close() });
    return operations;
  }

  /** Marks the last batch that is durable. Should that fail, the next write fails. */
  #mark(): void {
    this.#markTimer = undefined;
    this.#marking = this.#marking
      .then(() => this.#marks.write(this.#durable))
      .catch((error: unknown) => {
        this.#failure ??= writeError(this.#directory, error);
      });
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {});
    clearTimeout(this.#markTimer);
    if (this.#failure === undefined) this.#mark();
    await this.#marking;
    await this.#marks.close();
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
  /** Makes what stands in LevelDB's place; for tests of what it does not do by itself. */
  createDatabase?(directory: string): Database;
}

/**
 * Opens the store of a directory, making it when it is new, and checks all that is in it. Throws `StoreDamaged`,
 * `StoreBusy`, `StoreOutdated`, `StoreFull` or `StoreUnavailable`; nothing that was stored is changed then.
 */
export async function openStore(directory: string, options: StoreOptions = {}): Promise<Store> {
  // Before the database is made: it begins to open itself, and to change files, on its own.
  await checkFiles(directory);
  const database = options.createDatabase?.(directory) ?? createLevel(directory, options);
  try {
    await database.open();
  } catch (error) {
    const cause = causeOf(error);
    if (isLockHeld(cause)) throw new StoreBusy(directory);
    if (isCorruption(cause)) throw new StoreDamaged(directory, cause);
    throw writeError(directory, error);
  }
  try {
    return new LevelStore(directory, database, await readAll(directory, database));
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** What looks like damage while another process writes is none: files are judged when nobody has them open. */
async function checkFiles(directory: string): Promise<void> {
  try {
    await checkLevelFiles(directory);
  } catch (error) {
    if (!(error instanceof StoreDamaged)) throw error;
    const judged = await withStoreLocked(directory, () => checkLevelFiles(directory).then(() => true));
    if (judged === undefined) throw new StoreBusy(directory);
  }
}

function createLevel(directory: string, { writeBufferBytes }: StoreOptions): Database {
  return new Level<string, Buffer>(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    // Tables are checked before they are opened, and only uncompressed ones can be.
    compression: false,
    ...(writeBufferBytes !== undefined && { writeBufferSize: writeBufferBytes }),
  } as ConstructorParameters<typeof Level<string, Buffer>>[1]);
}

async function readAll(directory: string, database: Database): Promise<Opened> {
  let marks: MarkFile | undefined;
  try {
    marks = await MarkFile.open(directory);
    const found = await readEntries(database);
    const version = versionOf(found);
    if (version !== recordVersion) throw new StoreOutdated(directory, version, recordVersion);
    const ledger = new Ledger();
    const records = ledger.restore(found);
    if (typeof records === 'string') throw new StoreDamaged(directory, records);
    checkMark(directory, ledger.mark(), marks.latest);
    // Made now, so that a full disk shows at the start; later marks take no new space.
    if (marks.latest === undefined) await marks.write(ledger.mark());
    return { ledger, records, marks };
  } catch (error) {
    await marks?.close();
    if (error instanceof StoreDamaged || error instanceof StoreOutdated) throw error;
    const cause = causeOf(error);
    throw isCorruption(cause) ? new StoreDamaged(directory, cause) : writeError(directory, error);
  }
}

/** A store that ends before its mark, or with another batch than was marked, lost what was acknowledged. */
function checkMark(directory: string, { sequence, link }: Mark, mark: Mark | undefined): void {
  if (mark === undefined || sequence > mark.sequence) return;
  if (sequence < mark.sequence) {
    throw new StoreDamaged(directory, `it ends with batch ${sequence}, but batch ${mark.sequence} was acknowledged`);
  }
  if (link !== mark.link)
    throw new StoreDamaged(directory, `its batch ${sequence} is not the one that was acknowledged`);
}

async function readEntries(database: Database): Promise<[string, Buffer][]> {
  const found: [string, Buffer][] = [];
  const iterator = database.iterator();
  try {
    for (;;) {
      const entries = await iterator.nextv(readAtOnce);
      if (entries.length === 0) return found;
      for (const entry of entries) found.push(entry);
    }
  } finally {
    await iterator.close();
  }
}

/** The version of the program that wrote the records, as the head says. Before version 2 there was no head. */
function versionOf(found: readonly [string, Buffer][]): number {
  const [, head] = found.find(([key]) => key === headKey) ?? [];
  if (head !== undefined) return head[0] ?? recordVersion;
  return found.length > 0 && found.every(([, record]) => record[0] === 1) ? 1 : recordVersion;
}
