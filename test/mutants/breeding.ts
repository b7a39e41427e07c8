import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type BuildFailure, build, type Plugin } from 'esbuild';
import { applyMutant, type Mutant } from './mutant.ts';

const rooms = ['consensus', 'strategies', 'node/core', 'sim'] as const;

/**
 * Runs a swarm's seeds from 1 to the last one asked for, a line of JSON for each, and ends with the first that is not
 * clean. The parent alone decides when it ends: a Ctrl-C of the terminal goes to both.
 */
const driver = `
import { writeSync } from 'node:fs';
import { runConsensusSeed } from './sim/consensus/run.ts';
import { runSeed } from './sim/run.ts';

process.on('SIGINT', () => {});
const [swarm, last] = process.argv.slice(2);
const run = swarm === 'consensus' ? runConsensusSeed : runSeed;
for (let seed = 1; seed <= Number(last); seed++) {
  let verdict;
  try {
    verdict = run(String(seed));
  } catch (error) {
    verdict = { ok: false, violation: { checker: '', what: String(error?.stack ?? error), atMs: 0, crash: true } };
  }
  const { ok, violation } = verdict;
  writeSync(1, JSON.stringify({ seed, ok, violation }) + '\\n');
  if (!ok) break;
}
`;

/** What CommonJS dependencies expect to find inside an ES module. */
const commonJs = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** A copy of the program and its simulator, from which mutants are made: other work on the tree does not change it. */
export class Breeding {
  readonly #root: string;
  readonly #directory: string;

  private constructor(root: string, directory: string) {
    this.#root = root;
    this.#directory = directory;
  }

  /** Copies the rooms that make up the simulated program; `root` is the tree that they are in. */
  static async begin(root: string): Promise<Breeding> {
    const { generateWire } = (await import(new URL('../../scripts/wire.js', import.meta.url).href)) as {
      generateWire(): Promise<void>;
    };
    await generateWire();
    const directory = await mkdtemp(join(tmpdir(), 'conclave-mutants-'));
    for (const room of rooms) await cp(join(root, room), join(directory, room), { recursive: true });
    await writeFile(join(directory, 'package.json'), '{"type":"module"}');
    await mkdir(join(directory, 'bundles'));
    return new Breeding(root, directory);
  }

  /** Removes everything that was made. */
  async end(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Throws when the code has moved on and the mutant's place is not in it any more. */
  async expectToFit(mutant: Mutant): Promise<void> {
    await this.#textOf(mutant);
  }

  /** Makes the program with a mutant in it; returns its file. Throws when it does not fit or does not compile. */
  async breed(mutant: Mutant): Promise<string> {
    const outfile = join(this.#directory, 'bundles', `${mutant.name}.mjs`);
    await build({
      stdin: { contents: driver, resolveDir: this.#directory, loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      banner: { js: commonJs },
      nodePaths: [join(this.#root, 'node_modules')],
      plugins: [inPlaceOf(join(this.#directory, mutant.file), await this.#textOf(mutant))],
      logLevel: 'silent',
      outfile,
    }).catch((error: BuildFailure) => {
      const [first] = error.errors;
      throw new Error(`${mutant.name} does not compile: ${first?.text ?? error.message}`, { cause: error });
    });
    return outfile;
  }

  async #textOf({ name, file, edits }: Mutant): Promise<string> {
    const text = await readFile(join(this.#directory, file), 'utf8');
    try {
      return applyMutant(text, edits);
    } catch (error) {
      throw new Error(`${name}: ${file}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Gives the compiler a text instead of what a file holds. */
function inPlaceOf(file: string, contents: string): Plugin {
  return {
    name: 'mutant',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => (resolve(path) === file ? { contents, loader: 'ts' } : undefined));
    },
  };
}
