// `npm run sim:mutants -- [name…]`: plants defects in copies of the program, one at a time, and sees which the simulator finds.
import { fileURLToPath } from 'node:url';
import { Breeding } from './breeding.ts';
import { escapees, mutants, unchanged } from './catalog.ts';
import { hunt } from './hunt.ts';
import type { Mutant } from './mutant.ts';
import { type Order, readOrder, UsageError, usage } from './order.ts';
import { isAsItShouldBe, jsonOf, type Result, tableOf } from './results.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 };
const seedsOfDefect = 200;
/** A harmless change is run to the end of its budget, so that is smaller. */
const seedsOfHarmless = 40;
/** Progress is shown every so many seeds. */
const seedsShown = 10;

const say = (text: string): void => console.error(text);

async function huntOne(breeding: Breeding, mutant: Mutant, order: Order, signal: AbortSignal): Promise<Result> {
  const { name, harmless, alone } = mutant;
  const seedsMax = order.seedsMax ?? mutant.seedsMax ?? (harmless ? seedsOfHarmless : seedsOfDefect);
  const program = await breeding.breed(mutant);
  say(`${name}: ${seedsMax} seeds at most`);
  const caught = await hunt(program, alone ? 'consensus' : 'program', seedsMax, signal, (seeds) => {
    if (seeds % seedsShown === 0) say(`${name}: ${seeds} of ${seedsMax} seeds`);
  });
  const found =
    caught.how === 'violation' ? `found by ${caught.checker}` : caught.how === 'crash' ? 'crashed' : 'clean';
  say(`${name}: ${found} after ${caught.seeds} seeds${isAsItShouldBe({ mutant, caught, seedsMax }) ? '' : ' (!)'}`);
  return { mutant, caught, seedsMax };
}

/** Works through all mutants, a few at a time. The first that cannot be made or run ends the others. */
async function huntAll(breeding: Breeding, order: Order, end: AbortController, results: Result[]): Promise<void> {
  const waiting = [...order.mutants];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      end.signal.throwIfAborted();
      results.push(await huntOne(breeding, mutant, order, end.signal));
    }
  };
  const workers = Array.from({ length: order.jobs }, () => work().catch((error: Error) => end.abort(error)));
  await Promise.all(workers);
}

/** Does what was asked, and prints what is known at the end, whatever ended it. Returns the exit code. */
async function run(order: Order): Promise<number> {
  const end = new AbortController();
  let exitCode: number = exitCodes.failed;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      exitCode = exitCodes.interrupted;
      end.abort(new Error(`Ended by ${name}.`));
    });
  }
  const breeding = await Breeding.begin(root);
  const results: Result[] = [];
  try {
    for (const mutant of order.mutants) await breeding.expectToFit(mutant);
    await huntAll(breeding, order, end, results);
  } finally {
    await breeding.end();
  }
  const place = ({ mutant }: Result): number => order.mutants.indexOf(mutant);
  results.sort((a, b) => place(a) - place(b));
  const complete = !end.signal.aborted;
  console.log(order.json ? jsonOf(results, complete) : tableOf(results));
  if (complete) return results.every(isAsItShouldBe) ? exitCodes.ok : exitCodes.failed;
  say(`${(end.signal.reason as Error).message} ${results.length} of ${order.mutants.length} mutants are done.`);
  return exitCode;
}

function list(): string {
  const lineOf = ({ name, room, what, harmless }: Mutant): string =>
    `${name} (${harmless ? 'harmless' : room}): ${what}`;
  const unfound = ['', 'Not found by any swarm yet, run only when named:', ...escapees.map(lineOf)];
  return [...[unchanged, ...mutants].map(lineOf), ...(escapees.length > 0 ? unfound : [])].join('\n');
}

try {
  const order = readOrder(process.argv.slice(2));
  if (order === 'help') console.log(usage);
  else if (order === 'list') console.log(list());
  else process.exitCode = await run(order);
} catch (error) {
  say((error as Error).message);
  process.exitCode = error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}
