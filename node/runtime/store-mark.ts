import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Digest } from './store-record.ts';

/** A batch that is durable: the store never ends before it again. */
export interface Mark {
  sequence: number;
  /** Digest of the batch's head. */
  link: Digest;
}

const fileName = 'mark';
/** The two slots lie in different sectors, so a write that was cut off leaves the other one whole. */
const slotBytes = 512;
const slots = 2;

function toLine({ sequence, link }: Mark): string {
  const text = `conclave store ${sequence} ${link}`;
  return `${text} ${crc32(text).toString(16).padStart(8, '0')}\n`;
}

function fromLine(line: string): Mark | undefined {
  const [, sequence, link] = /^conclave store (\d+) (\d+) [0-9a-f]{8}\n/.exec(line) ?? [];
  const mark = { sequence: Number(sequence), link: Number(link) };
  return line.startsWith(toLine(mark)) ? mark : undefined;
}

/**
 * The high-water mark of a store: a small file beside LevelDB's, written now and then with the last batch that is known
 * to be durable. LevelDB's log alone cannot tell a torn last write from the loss of batches that were acknowledged; a
 * store that ends before its mark has lost some.
 */
export class MarkFile {
  readonly #path: string;
  #file: FileHandle | undefined;
  #slot = 0;
  #latest: Mark | undefined;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens the mark of a directory and reads it; changes nothing. */
  static async open(directory: string): Promise<MarkFile> {
    const marks = new MarkFile(join(directory, fileName));
    try {
      marks.#file = await open(marks.#path, 'r+');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return marks;
    }
    await marks.#read(marks.#file);
    return marks;
  }

  /** The latest mark; undefined when there is none that can be read. */
  get latest(): Mark | undefined {
    return this.#latest;
  }

  async #read(file: FileHandle): Promise<void> {
    const bytes = Buffer.alloc(slotBytes * slots);
    await file.read(bytes, 0, bytes.length, 0);
    for (let slot = 0; slot < slots; slot++) {
      const mark = fromLine(bytes.toString('latin1', slot * slotBytes, (slot + 1) * slotBytes));
      if (mark === undefined || mark.sequence < (this.#latest?.sequence ?? 0)) continue;
      this.#latest = mark;
      this.#slot = (slot + 1) % slots;
    }
  }

  /** Writes and syncs a mark, which must be durable in the store already. One call at a time. */
  async write(mark: Mark): Promise<void> {
    if (mark.sequence === this.#latest?.sequence) return;
    this.#file ??= await open(this.#path, 'w+', 0o600);
    const slot = Buffer.alloc(slotBytes);
    slot.write(toLine(mark), 'latin1');
    await this.#file.write(slot, 0, slotBytes, this.#slot * slotBytes);
    await this.#file.datasync();
    this.#latest = mark;
    this.#slot = (this.#slot + 1) % slots;
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}
