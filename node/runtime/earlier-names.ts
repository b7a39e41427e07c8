import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const namesMax = 16;
const namePattern = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * Under which ids this data directory's node made things outside of it: one whose store was damaged comes back under another
 * id, and has to clear away what the first one left.
 */
export class EarlierNames {
  readonly #directory: string;
  readonly #own: string;
  #earlier: string[];

  /** Adds the node's own id. Throws what the file system throws. */
  constructor(directory: string, own: string) {
    this.#directory = directory;
    this.#own = own;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#earlier = this.#read()
      .filter((name) => name !== own)
      .slice(0, namesMax);
    this.#write();
  }

  /** The own one first. */
  get all(): readonly string[] {
    return [this.#own, ...this.#earlier];
  }

  /** There is nothing left of the earlier ones. Throws what the file system throws. */
  forgetEarlier(): void {
    if (this.#earlier.length === 0) return;
    this.#earlier = [];
    this.#write();
  }

  /** What is no name is passed over: what was left under it has to be cleared away by hand. */
  #read(): string[] {
    try {
      return readFileSync(this.#file, 'utf8')
        .split('\n')
        .filter((name) => namePattern.test(name));
    } catch {
      return [];
    }
  }

  get #file(): string {
    return join(this.#directory, 'nodes');
  }

  #write(): void {
    writeFileSync(`${this.#file}.new`, `${this.all.join('\n')}\n`, { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}
