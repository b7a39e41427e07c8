// `npm run bench -- NAME…`: measures the named figures, or all, and prints a line of JSON for each.
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { figures } from './catalog.ts';
import type { Bench, Figure, Measured } from './figure.ts';
import { median, quantile, rounded } from './sample.ts';
import { Scratch } from './scratch.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const exitCodes = { failed: 1, usage: 2, interrupted: 130 };

function chooseFigures(names: readonly string[]): readonly Figure[] {
  const unknown = names.filter((name) => !figures.some((figure) => figure.name === name));
  if (unknown.length > 0) {
    const known = figures.map((figure) => figure.name).join(', ');
    console.error(`There is no figure ${unknown.join(', ')}. Nothing was measured. Choose from: ${known}.`);
    process.exit(exitCodes.usage);
  }
  return names.length === 0 ? figures : figures.filter((figure) => names.includes(figure.name));
}

function lineOf({ name, unit, better }: Figure, { values, floor, peer, extra }: Measured): string {
  const value = median(values);
  const isKnown = peer !== undefined && value !== undefined;
  const ratio = isKnown ? (better === 'higher' ? value / peer : peer / value) : undefined;
  return JSON.stringify({
    figure: name,
    value: rounded(value),
    unit,
    n: values.length,
    // The slow end, whichever that is.
    p99: rounded(quantile(values, better === 'higher' ? 0.01 : 0.99)),
    floor: rounded(floor),
    peer: rounded(peer),
    ratio: rounded(ratio),
    ...extra,
  });
}

/** The program is built if it has to be, and copied: other work on the tree does not change what is measured. */
async function copyProgram(scratch: Scratch): Promise<string> {
  const { buildAll, isStale } = await import(new URL('../scripts/build.js', import.meta.url).href);
  if (isStale()) await buildAll();
  const distDirectory = join(scratch.directory, 'dist');
  await cp(join(root, 'dist'), distDirectory, { recursive: true });
  return distDirectory;
}

async function measureAll(chosen: readonly Figure[], bench: Bench): Promise<number> {
  let failed = 0;
  for (const figure of chosen) {
    bench.say(`${figure.name}:`);
    try {
      const measured = await figure.measure({ ...bench, say: (text) => bench.say(`  ${text}`) });
      console.log(lineOf(figure, measured));
    } catch (error) {
      bench.signal.throwIfAborted();
      failed += 1;
      console.log(lineOf(figure, { values: [] }));
      bench.say(`  not measured: ${(error as Error).message}`);
    }
  }
  return failed;
}

const chosen = chooseFigures(process.argv.slice(2));
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interruption.abort(new Error(`ended by ${signal}`)));
}
const scratch = await Scratch.open();
let exitCode = 0;
try {
  const bench: Bench = {
    distDirectory: await copyProgram(scratch),
    dockerfile: join(root, 'docker', 'Dockerfile'),
    scratch,
    signal: interruption.signal,
    say: (text) => console.error(text),
  };
  if ((await measureAll(chosen, bench)) > 0) exitCode = exitCodes.failed;
} catch (error) {
  console.error((error as Error).message);
  exitCode = interruption.signal.aborted ? exitCodes.interrupted : exitCodes.failed;
} finally {
  await scratch.clear();
}
process.exit(exitCode);
