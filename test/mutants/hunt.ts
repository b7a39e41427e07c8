import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What the seeds of a hunt showed. `seeds`: how many of them were run. */
export type Catch =
  /** A checker saw a broken promise. */
  | { how: 'violation'; seeds: number; checker: string; what: string; atMs: number }
  /** The program threw, or the process that ran it died or hung: nothing that a checker can take credit for. */
  | { how: 'crash'; seeds: number; what: string }
  | { how: 'nothing'; seeds: number };

/** Which runs are made of the seeds: of the whole program, or of consensus alone. */
export type Swarm = 'program' | 'consensus';

interface Line {
  seed: number;
  ok: boolean;
  violation?: { checker: string; what: string; atMs: number; crash: boolean };
}

/** One seed takes seconds; this long means that it goes round and round. */
const seedMsMax = 300_000;
const errorLengthMax = 4_000;

/**
 * Runs a swarm of a bred program on the seeds 1 to `seedsMax`, or up to the first that is not clean. Rejects with the reason of
 * `signal` when that ends it before; the process that was started is gone then, too.
 */
export function hunt(
  program: string,
  swarm: Swarm,
  seedsMax: number,
  signal: AbortSignal,
  onSeed: (seeds: number) => void,
): Promise<Catch> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, swarm, String(seedsMax)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let seeds = 0;
    let found: Catch | undefined;
    let hung = false;
    let errors = '';
    const kill = (): void => void child.kill('SIGKILL');
    const hang = setTimeout(() => {
      hung = true;
      kill();
    }, seedMsMax);
    signal.addEventListener('abort', kill);
    child.stderr.on('data', (bytes: Buffer) => (errors = (errors + bytes.toString()).slice(-errorLengthMax)));
    createInterface({ input: child.stdout }).on('line', (text) => {
      hang.refresh();
      const line = JSON.parse(text) as Line;
      seeds = line.seed;
      onSeed(seeds);
      if (!line.ok) found = catchOf(line);
    });
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      clearTimeout(hang);
      signal.removeEventListener('abort', kill);
      if (signal.aborted) return reject(signal.reason as Error);
      if (found !== undefined) return resolve(found);
      if (code === 0 && seeds >= seedsMax) return resolve({ how: 'nothing', seeds });
      const what = hung ? `no verdict within ${seedMsMax} ms` : `ended with ${killedBy ?? code}: ${errors.trim()}`;
      resolve({ how: 'crash', seeds: seeds + 1, what });
    });
    if (signal.aborted) kill();
  });
}

function catchOf({ seed, violation }: Line): Catch {
  if (violation === undefined) return { how: 'crash', seeds: seed, what: 'not clean, and no violation is named' };
  const { checker, what, atMs, crash } = violation;
  return crash ? { how: 'crash', seeds: seed, what } : { how: 'violation', seeds: seed, checker, what, atMs };
}
