import Table from 'cli-table3';
import type { Catch } from './hunt.ts';
import type { Mutant } from './mutant.ts';

/** A mutant and what became of it. */
export interface Result {
  mutant: Mutant;
  caught: Catch;
  /** How many seeds it was given. */
  seedsMax: number;
}

const whatLengthMax = 100;

/** A defect has to be found by a broken promise; a harmless change and the program as it is have to pass. */
export function isAsItShouldBe({ mutant, caught }: Result): boolean {
  return caught.how === (mutant.harmless ? 'nothing' : 'violation');
}

const titles = ['mutant', 'room', 'found by', 'after seeds', 'what was seen'];

/** One row for each mutant, those that are not as they should be marked, and the counts. */
export function tableOf(results: readonly Result[]): string {
  const table = new Table({
    head: titles,
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [] },
  });
  for (const result of results) table.push(rowOf(result));
  return `${table.toString()}\n${summaryOf(results)}`;
}

function rowOf(result: Result): string[] {
  const { mutant, caught, seedsMax } = result;
  const mark = isAsItShouldBe(result) ? '' : '! ';
  const kind = mutant.harmless ? 'harmless' : mutant.room;
  const seeds = caught.how === 'nothing' ? `none of ${seedsMax}` : String(caught.seeds);
  const what = caught.how === 'nothing' ? '' : shortly(caught.what, finderOf(caught));
  return [`${mark}${mutant.name}`, kind, finderOf(caught), seeds, what];
}

function finderOf(caught: Catch): string {
  if (caught.how === 'violation') return caught.checker;
  return caught.how === 'crash' ? 'a crash' : 'nothing';
}

/** The first line, without the checker's name before it. */
function shortly(text: string, checker: string): string {
  const [first = ''] = text.split('\n');
  const line = first.startsWith(`${checker}: `) ? first.slice(checker.length + 2) : first;
  return line.length > whatLengthMax ? `${line.slice(0, whatLengthMax - 1)}…` : line;
}

/** How many defects were found, and how many harmless changes were left alone. */
export function summaryOf(results: readonly Result[]): string {
  const harmless = results.filter(({ mutant }) => mutant.harmless);
  const defects = results.filter(({ mutant }) => !mutant.harmless);
  const right = (some: readonly Result[]): string => `${some.filter(isAsItShouldBe).length} of ${some.length}`;
  return `${right(defects)} defects found by a broken promise, ${right(harmless)} harmless programs not flagged`;
}

/** The same for programs. */
export function jsonOf(results: readonly Result[], complete: boolean): string {
  return JSON.stringify({
    ok: complete && results.every(isAsItShouldBe),
    complete,
    mutants: results.map((result) => {
      const { mutant, caught, seedsMax } = result;
      const { name, room, what, file, harmless = false } = mutant;
      return { name, room, file, defect: what, harmless, ok: isAsItShouldBe(result), seedsMax, ...caught };
    }),
  });
}
