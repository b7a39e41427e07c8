import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from './figure.ts';

/** The longest that the event loop of a node was busy with one turn. */
export interface Block {
  /** By the clock: with what other processes took meanwhile. */
  ms: number;
  /** Processor time of the loop's own thread. */
  cpuMs: number;
}

const shortestMs = 4;

/** Stands at the beginning of the program: a timer that comes late tells how long a turn was. */
const probe = (directory: string): string => `
import { appendFileSync as tellBlock } from 'node:fs';
{
  const file = ${JSON.stringify(directory)} + '/' + process.env.CONCLAVE_NAME;
  const cpuMs = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1_000; };
  let last = { ms: performance.now(), cpuMs: cpuMs() };
  setInterval(() => {
    const now = { ms: performance.now(), cpuMs: cpuMs() };
    const ms = now.ms - last.ms - 1;
    if (ms >= ${shortestMs}) tellBlock(file, JSON.stringify({ atMs: Date.now(), ms, cpuMs: now.cpuMs - last.cpuMs }) + '\\n');
    last = { ms: performance.now(), cpuMs: cpuMs() };
  }, 1).unref();
}
`;

/** A copy of the program whose nodes tell how long their event loops were busy. */
export class LoopBlocks {
  readonly distDirectory: string;
  readonly #directory: string;

  private constructor(distDirectory: string, directory: string) {
    this.distDirectory = distDirectory;
    this.#directory = directory;
  }

  static async of({ distDirectory, scratch }: Bench): Promise<LoopBlocks> {
    const [copy, told] = [join(scratch.directory, 'dist-with-probe'), join(scratch.directory, 'blocks')];
    await cp(distDirectory, copy, { recursive: true });
    await mkdir(told, { recursive: true });
    const program = join(copy, 'node.mjs');
    await writeFile(program, probe(told) + (await readFile(program, 'utf8')));
    return new LoopBlocks(copy, told);
  }

  /** The longest of each node since a moment of the wall clock; nodes that had none are not there. */
  async since(wallMs: number): Promise<Map<string, Block>> {
    const longest = new Map<string, Block>();
    for (const node of await readdir(this.#directory)) {
      for (const line of (await readFile(join(this.#directory, node), 'utf8')).split('\n')) {
        if (line === '') continue;
        const { atMs, ms, cpuMs } = JSON.parse(line) as Block & { atMs: number };
        if (atMs < wallMs) continue;
        const before = longest.get(node) ?? { ms: 0, cpuMs: 0 };
        longest.set(node, { ms: Math.max(before.ms, ms), cpuMs: Math.max(before.cpuMs, cpuMs) });
      }
    }
    return longest;
  }
}
