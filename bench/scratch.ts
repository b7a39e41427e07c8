import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Undo = () => Promise<unknown> | unknown;

/** Everything that a run made and must not leave behind: a temporary directory, and what is written down with `defer`. */
export class Scratch {
  readonly directory: string;
  #undo = new Set<Undo>();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Scratch> {
    return new Scratch(await mkdtemp(join(tmpdir(), 'conclave-bench-')));
  }

  /** Remembers how something is removed. The function that it returns does so now, and once. */
  defer(undo: Undo): () => Promise<void> {
    this.#undo.add(undo);
    return async () => {
      if (this.#undo.delete(undo)) await undo();
    };
  }

  /** Removes everything, the last first; goes on when one cannot be removed, and throws that error at the end. */
  async clear(): Promise<void> {
    const problems: unknown[] = [];
    for (const undo of [...this.#undo].reverse()) {
      this.#undo.delete(undo);
      await Promise.resolve(undo()).catch((error: unknown) => problems.push(error));
    }
    await rm(this.directory, { recursive: true, force: true });
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join('; '));
  }
}
