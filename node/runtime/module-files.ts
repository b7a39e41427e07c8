import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ownName = /^[0-9a-f]{64}\.(mjs|code)(\.new)?$/;

/**
 * Agent modules as files, each named after the SHA-256 of its text, so that a thread can import it. Keeps the most
 * recently used ones; other files in the directory are left alone.
 */
export class ModuleFiles {
  readonly #directory: string;
  readonly #filesMax: number;
  readonly #extension: 'mjs' | 'code';

  /** Makes the directory, readable by its owner alone; throws what the file system throws. */
  constructor(directory: string, filesMax: number, extension: 'mjs' | 'code' = 'mjs') {
    this.#directory = directory;
    this.#filesMax = filesMax;
    this.#extension = extension;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** The URL of the module with this text, as `fileOf` has its file. */
  urlOf(source: string): string {
    return pathToFileURL(this.fileOf(source)).href;
  }

  /** The file with this text, written if it is not there in full. Throws what the file system throws. */
  fileOf(source: string): string {
    const bytes = Buffer.from(source);
    const file = join(this.#directory, `${createHash('sha256').update(bytes).digest('hex')}.${this.#extension}`);
    if (this.#holds(file, bytes)) {
      const now = new Date();
      utimesSync(file, now, now);
    } else {
      this.#makeRoom();
      writeFileSync(`${file}.new`, bytes, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    }
    return file;
  }

  /** A power cut can leave a file short: the name alone proves nothing. */
  #holds(file: string, bytes: Buffer): boolean {
    try {
      return readFileSync(file).equals(bytes);
    } catch {
      return false;
    }
  }

  #makeRoom(): void {
    const files = readdirSync(this.#directory)
      .filter((name) => ownName.test(name))
      .map((name) => join(this.#directory, name))
      .map((file) => ({ file, usedMs: statSync(file).mtimeMs }))
      .sort((a, b) => b.usedMs - a.usedMs);
    for (const { file } of files.slice(Math.max(0, this.#filesMax - 1))) unlinkSync(file);
  }
}
