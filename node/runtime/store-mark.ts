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
  readonly #file: FileHandle;
  #slot = 0;
  #written = -1;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The latest mark of a directory; undefined when there is none that can be read. */
  static async read(directory: string): Promise<Mark | undefined> {
    let file: FileHandle;
    try {
      file = await open(join(directory, fileName), 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const bytes = Buffer.alloc(slotBytes * slots);
      await file.read(bytes, 0, bytes.length, 0);
      const marks = Array.from({ length: slots }, (_, slot) =>
        fromLine(bytes.toString('latin1', slot * slotBytes, (slot + 1) * slotBytes)),
      ).filter((mark) => mark !== undefined);
      return marks.sort((a, b) => b.sequence - a.sequence)[0];
    } finally {
      await file.close();
    }
  }

  /** Opens the file for writing and puts `mark` in both slots. */
  static async open(directory: string, mark: Mark): Promise<MarkFile> {
    const path = join(directory, fileName);
    const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return open(path, 'w+', 0o600);
    });
    const marks = new MarkFile(file);
    try {
      for (let slot = 0; slot < slots; slot++) {
        marks.#written = -1;
        await marks.write(mark);
      }
      return marks;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Writes and syncs a mark, which must be durable in the store already. One call at a time. */
  async write(mark: Mark): Promise<void> {
    if (mark.sequence === this.#written) return;
    this.#written = mark.sequence;
    const slot = Buffer.alloc(slotBytes);
    slot.write(toLine(mark), 'latin1');
    await this.#file.write(slot, 0, slotBytes, this.#slot * slotBytes);
    await this.#file.datasync();
    this.#slot = (this.#slot + 1) % slots;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
