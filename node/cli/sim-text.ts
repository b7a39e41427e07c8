import type { Outcome } from '../../sim/job.ts';
import type * as Simulator from '../../sim/main.ts';
import { colors, tableOf } from './output.ts';

type Violation = NonNullable<Outcome['verdict']['violation']>;

const seconds = (ms: number): string => (ms / 1_000).toFixed(3);

/** The kinds of faults that `--faults` takes, in words. */
export function faultsText({ faults, ambientKinds, faultNames }: typeof Simulator): string {
  const kinds = { ...faults, ...ambientKinds } as Record<string, { group: string; what: string }>;
  const groups = new Map<string, string[]>();
  for (const [kind, { group, what }] of Object.entries(kinds)) {
    groups.set(group, [...(groups.get(group) ?? []), `    ${kind.padEnd(12)} ${what}`]);
  }
  const lines = [...groups].flatMap(([group, each]) => [`  ${group}`, ...each]);
  return [`Faults (${faultNames.size} names: a group stands for all that is under it):`, ...lines].join('\n');
}

/** One line of what a run was. */
export function summaryText({ verdict, plan }: Outcome): string {
  const { counts, virtualMs, steps, hash } = verdict;
  const parts = [
    `${plan.nodes} nodes`,
    `${seconds(virtualMs)} s of virtual time`,
    `${counts['faults'] ?? 0} faults`,
    `${counts['acknowledged'] ?? 0} tasks acknowledged`,
    `${counts['terms'] ?? 0} terms`,
    `${steps} steps, hash ${hash}`,
  ];
  return parts.join(' · ');
}

export function guestsText({ guests = [] }: Outcome): string {
  const rows = guests.map(({ agent, tasks, refused, slowestMs, placements, notCompared }) => [
    agent,
    String(tasks),
    String(refused),
    `${slowestMs} ms`,
    String(placements),
    notCompared === undefined ? 'as undisturbed' : `not compared: ${notCompared}`,
  ]);
  return tableOf(['your agent', 'tasks', 'refused', 'slowest', 'placements', 'answers'], rows);
}

/** What was promised, what was seen instead, and what the nodes concerned did last. */
export function violationText(seed: string, { checker, what, atMs, crash, lastEvents, stack }: Violation): string {
  const head = crash ? 'The program failed' : 'A promise was broken';
  const lines = [colors.red(colors.bold(`${head} (seed ${seed}, ${seconds(atMs)} s)`)), `  ${checker}`, `  ${what}`];
  if (stack !== undefined) lines.push(stack);
  for (const [who, events] of Object.entries(lastEvents)) {
    lines.push('', colors.bold(who === 'world' ? 'What was done to the cluster' : `Last events of ${who}`));
    for (const event of events) lines.push(`  ${event}`);
  }
  return lines.join('\n');
}

/** Coverage marks of one run or many; with `listed`, those never hit, each with what it means. */
export function marksText(
  hits: ReadonlyMap<string, number>,
  sentences: Readonly<Record<string, string>>,
  listed: boolean,
): string {
  const names = Object.keys(sentences);
  const missed = names.filter((name) => (hits.get(name) ?? 0) === 0);
  const text = `Coverage marks: ${names.length - missed.length} of ${names.length} hit.`;
  if (!listed) return `${text} Many runs together hit more: --runs.`;
  if (missed.length === 0) return text;
  const rows = missed.map((name) => `  ${name.padEnd(44)} ${sentences[name]}`);
  return [`${text} Never hit:`, ...rows].join('\n');
}

/** A bar with rate and time left, for the terminal. */
export function barText(done: number, all: number, elapsedMs: number, broken: number): string {
  const width = 24;
  const filled = Math.round((done / all) * width);
  const rate = elapsedMs === 0 ? 0 : (done / elapsedMs) * 1_000;
  const leftS = rate === 0 ? undefined : Math.round((all - done) / rate);
  const left = leftS === undefined ? '' : ` · ${durationText(leftS)} left`;
  const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
  return `${bar} ${done}/${all} seeds · ${rate.toFixed(1)}/s${left} · ${broken} broken`;
}

export function durationText(wholeSeconds: number): string {
  const minutes = Math.floor(wholeSeconds / 60);
  if (minutes < 1) return `${wholeSeconds} s`;
  return minutes < 60 ? `${minutes} min ${wholeSeconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
