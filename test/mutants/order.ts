import { parseArgs } from 'node:util';
import { escapees, mutants, unchanged } from './catalog.ts';
import type { Mutant } from './mutant.ts';

/** What a run was asked to do. */
export interface Order {
  mutants: readonly Mutant[];
  /** How many run at the same time. */
  jobs: number;
  /** Seeds for each mutant, whatever its own budget. */
  seedsMax: number | undefined;
  json: boolean;
}

/** The command line cannot be followed; nothing was done. The message says what to do instead. */
export class UsageError extends Error {
  override name = 'UsageError';
}

const jobsDefault = 2;
const jobsMax = 64;
const seedsLimit = 1_000_000;

export const usage = `Plants one defect at a time in a copy of the program and looks for it with the simulator.

  npm run sim:mutants -- [name…] [--jobs N] [--seeds N] [--json] [--list]

  name…      only these mutants; "${unchanged.name}" is the program as it is, and those that no
             swarm has found yet (${escapees.length}) run only when named
  --jobs N   run so many at the same time (${jobsDefault})
  --seeds N  look for each with the seeds 1 to N, instead of its own budget
  --json     print one JSON object instead of a table
  --list     print the mutants and run nothing
`;

/** Reads a command line; `undefined` asks for the list, a text is to be printed. Throws `UsageError`. */
export function readOrder(args: readonly string[]): Order | 'list' | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  if (values.list) return 'list';
  return {
    mutants: choose(positionals),
    jobs: whole('--jobs', values.jobs, jobsMax) ?? jobsDefault,
    seedsMax: whole('--seeds', values.seeds, seedsLimit),
    json: values.json ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        jobs: { type: 'string' },
        seeds: { type: 'string' },
        json: { type: 'boolean' },
        list: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    const [what] = (error as Error).message.split('. ');
    throw new UsageError(`${what}. Nothing was run. "npm run sim:mutants -- --help" shows what it takes.`);
  }
}

function choose(names: readonly string[]): readonly Mutant[] {
  const usual = [unchanged, ...mutants];
  const all = [...usual, ...escapees];
  const unknown = names.filter((name) => !all.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    const known = all.map(({ name }) => name).join(', ');
    throw new UsageError(`There is no mutant ${unknown.join(', ')}. Nothing was run. Choose from: ${known}.`);
  }
  return names.length === 0 ? usual : all.filter(({ name }) => names.includes(name));
}

function whole(option: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new UsageError(`${option} is "${text}". Nothing was run. Give a whole number from 1 to ${max}.`);
}
