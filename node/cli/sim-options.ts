import { existsSync, readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import type * as Simulator from '../../sim/main.ts';
import { UsageError } from './command-error.ts';
import { readModule } from './deploy.ts';
import { whole } from './whole-number.ts';

/** What `conclave sim` was told, checked. */
export interface SimOptions {
  seed: number;
  runs: number;
  jobs: number;
  /** No more seeds are begun after so long, ms. */
  forMs: number;
  /** Consensus alone is run instead of the whole program. */
  consensus: boolean;
  wishes: NonNullable<Parameters<typeof Simulator.drawPlan>[1]>;
  /** Code of users' agents, by type. */
  modules: Record<string, string>;
  collect: boolean;
  shrink: boolean;
  force: boolean;
  replay?: string;
  scenario?: string;
  report?: string;
  /** Where replay files are written. */
  out: string;
  /** The command that does the same again. */
  command: string;
}

/** What commander read. */
export interface Given {
  seed?: number;
  nodes?: number;
  minutes?: number;
  faults?: string;
  consensus?: boolean;
  runs: number;
  jobs: number;
  for?: number;
  replay?: string;
  scenario?: string;
  report?: string;
  out: string;
  agent?: string;
  tasks?: string;
  count: number;
  collect?: boolean;
  shrink: boolean;
  force?: boolean;
}

const seedMax = 2 ** 48;
const runsMax = 10_000_000;
const nodesMax = 200;
const tasksMax = 100_000;

const examples = `
Examples:
  conclave sim                                          one run of a seed drawn for you, told as a story
  conclave sim --seed 42 --nodes 5 --minutes 10 --faults partition,crash,disk
  conclave sim --runs 2000 --jobs 2                     many seeds; stops at the first broken promise
  conclave sim --replay conclave-sim-42.json            the same run again, to the same event
  conclave sim --scenario examples/scenarios/split-brain.ts
  conclave sim --report out.html                        the run as a page, one lane per node
  conclave sim --consensus --runs 5000 --jobs 2         consensus alone, which sees far more elections
  conclave sim --agent examples/trading --tasks examples/trading/tasks.jsonl

Exit codes: 0 every promise held, 1 one was broken, 2 wrong usage, 130 interrupted.`;

/** Adds the options and the help of `conclave sim` to a command. */
export function addSimOptions(command: Command): Command {
  return command
    .description('find out what failures do: the same node program, in a simulated world made of one seed')
    .option('--seed <number>', 'draws everything (default: a new one each time)', whole(0, seedMax))
    .option('--nodes <count>', 'nodes at the beginning (default: drawn, 3 to 7)', whole(1, nodesMax))
    .option('--minutes <minutes>', 'virtual minutes of faults (default: 0.75)', minutes)
    .option('--faults <names>', 'only these kinds or groups, with commas between; "none" for none, "list" to see them')
    .option('--consensus', 'consensus alone: voters come and go, snapshots, reads, no agents')
    .option('--runs <count>', 'so many seeds, one after the other', whole(1, runsMax), 1)
    .option('--jobs <count>', 'seeds at the same time', whole(1, 64), 1)
    .option('--for <seconds>', 'begin no more seeds after this much real time', whole(1, 1_000_000))
    .option('--collect', 'go on after a broken promise, and show all at the end')
    .option('--replay <file>', 'run what a replay file holds')
    .option('--force', 'replay also a file of another version of this program')
    .option('--scenario <file>', 'run a scripted story')
    .option('--agent <folder>', 'run your own agents, too: a folder as "deploy" takes it')
    .option('--tasks <file>', 'what your agents are given: one JSON value a line')
    .option('--count <count>', 'how many of your agents', whole(1, 100), 3)
    .option('--report <file>', 'write the run as one HTML page')
    .option('--out <folder>', 'where replay files of broken promises go', '.')
    .option('--no-shrink', 'do not look for a smaller run that breaks the same promise')
    .addHelpText('after', examples);
}

function minutes(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0 && value <= 10_000) return value;
  throw new InvalidArgumentError('Give a number above 0, at most 10000.');
}

/** Turns what was given into what is to be done. Throws `UsageError`; nothing is run then. */
export async function readSimOptions(given: Given, simulator: typeof Simulator): Promise<SimOptions> {
  const several = given.runs > 1;
  const alone = ['replay', 'scenario'].filter((name) => given[name as 'replay' | 'scenario'] !== undefined);
  if (alone.length > 1) throw new UsageError('--replay and --scenario exclude each other. Nothing was run.');
  if (several && alone.length > 0) throw new UsageError(`--${alone[0]} is one run: leave --runs out. Nothing was run.`);
  if (given.consensus && (given.agent ?? given.scenario) !== undefined) {
    throw new UsageError(
      '--consensus runs no agents and no scenario: leave --agent and --scenario out. Nothing was run.',
    );
  }
  const guests = await readGuests(given);
  const { nodes, minutes, faults, seed = Math.floor(Math.random() * 1_000_000_000) } = given;
  const wishes = {
    ...(nodes !== undefined && { nodes }),
    ...(minutes !== undefined && { minutes }),
    ...(faults !== undefined && { faults: readFaults(faults, simulator) }),
    ...(guests && { guests: guests.settings }),
  };
  return {
    seed,
    consensus: given.consensus === true,
    runs: given.runs,
    jobs: given.jobs,
    forMs: given.for === undefined ? Number.POSITIVE_INFINITY : given.for * 1_000,
    wishes,
    modules: guests?.modules ?? {},
    collect: given.collect === true,
    shrink: given.shrink,
    force: given.force === true,
    ...(given.replay !== undefined && { replay: given.replay }),
    ...(given.scenario !== undefined && { scenario: given.scenario }),
    ...(given.report !== undefined && { report: given.report }),
    out: given.out,
    command: commandOf(given),
  };
}

function readFaults(text: string, { faultNames }: typeof Simulator): NonNullable<SimOptions['wishes']['faults']> {
  if (text === 'none') return [];
  if (text === 'all') return [...faultNames.values()].flat();
  return text.split(',').flatMap((name) => {
    const kinds = faultNames.get(name.trim());
    if (kinds !== undefined) return kinds;
    const known = [...faultNames.keys()].join(', ');
    throw new UsageError(`There is no fault "${name.trim()}". Nothing was run. Choose from: ${known}, all, none.`);
  });
}

async function readGuests({ agent, tasks, count }: Given) {
  if (agent === undefined && tasks === undefined) return undefined;
  if (agent === undefined) throw new UsageError('--tasks needs --agent: whose tasks are they? Nothing was run.');
  if (tasks === undefined) {
    throw new UsageError('--agent needs --tasks, a file with one JSON value a line. Nothing was run.');
  }
  const { type, source } = await readModule(agent, 'iife');
  if (source === undefined) throw new UsageError(`There is no folder ${agent}. Nothing was run.`);
  return { settings: { type, count, tasks: readTasks(tasks) }, modules: { [type]: source } };
}

function readTasks(file: string): unknown[] {
  if (!existsSync(file)) throw new UsageError(`There is no file ${file}. Nothing was run.`);
  const lines = readFileSync(file, 'utf8').split('\n');
  const tasks = lines.flatMap((line, at) => {
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      throw new UsageError(`Line ${at + 1} of ${file} is not JSON. Nothing was run. Give one JSON value a line.`);
    }
  });
  if (tasks.length === 0) throw new UsageError(`${file} holds no task. Nothing was run. Give one JSON value a line.`);
  return tasks.slice(0, tasksMax);
}

/** What was given besides the seed, as it is typed. */
function commandOf({ consensus, nodes, minutes, faults, agent, tasks, count }: Given): string {
  const parts = ['npx conclave sim'];
  if (consensus) parts.push('--consensus');
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`);
  if (minutes !== undefined) parts.push(`--minutes ${minutes}`);
  if (faults !== undefined) parts.push(`--faults ${faults}`);
  if (agent !== undefined) parts.push(`--agent ${agent} --tasks ${tasks} --count ${count}`);
  return parts.join(' ');
}
