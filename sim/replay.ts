import { type FaultKind, faultKinds } from './faults/catalog.ts';
import { nodesMax, type Plan } from './plan.ts';

const format = 1;

/** A run as a file: what is needed to have it again, and to know that it is the same. */
export interface Replay {
  format: number;
  /** The program's version, and the hash of its code. */
  version: string;
  program: string;
  plan: Plan;
  /** Code of users' agents, by type. */
  modules: Record<string, string>;
  /** What the run must come to. */
  hash: string;
  steps: number;
  footprints: string;
  violation?: { checker: string; what: string; atMs: number };
}

/** A file that is no replay, or not one of this program. */
export class ReplayRefused extends Error {
  override readonly name = 'ReplayRefused';
}

export function replayText(replay: Omit<Replay, 'format'>): string {
  return `${JSON.stringify({ format, ...replay }, undefined, 1)}\n`;
}

/** Reads and checks a replay file. Throws `ReplayRefused`; `force` lets a changed program run it all the same. */
export function readReplay(text: string, program: { version: string; hash: string }, force: boolean): Replay {
  const replay = parse(text);
  if (replay.format !== format) {
    throw new ReplayRefused(`It has format ${String(replay.format)}, this program reads ${format}. Nothing was run.`);
  }
  const wrong = whatIsWrong(replay);
  if (wrong !== undefined)
    throw new ReplayRefused(`It is damaged: ${wrong}. Nothing was run. Make it anew from its seed.`);
  const isSame = replay.version === program.version && replay.program === program.hash;
  if (!isSame && !force) {
    const made = `version ${replay.version} (${replay.program.slice(0, 12)})`;
    const present = `version ${program.version} (${program.hash.slice(0, 12)})`;
    throw new ReplayRefused(
      `It was made by ${made}, and this is ${present}: the run may take another course. Nothing was run. ` +
        'Check out that version, or use --force to run it on this one.',
    );
  }
  return replay;
}

function parse(text: string): Replay {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'format' in value) return value as Replay;
  } catch {
    // Said below.
  }
  throw new ReplayRefused(
    'It is not a replay file. Nothing was run. "conclave sim" writes one when a promise is broken.',
  );
}

const isCount = (value: unknown, max: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;

function whatIsWrong({ plan, hash, steps, version, program, modules, footprints }: Replay): string | undefined {
  if (typeof hash !== 'string' || !isCount(steps, 1e10) || typeof footprints !== 'string') return 'hash or steps';
  if (typeof version !== 'string' || typeof program !== 'string') return 'version or program';
  if (typeof modules !== 'object' || modules === null) return 'modules';
  if (typeof plan !== 'object' || plan === null || typeof plan.seed !== 'string') return 'plan';
  if (!isCount(plan.nodes, nodesMax) || plan.nodes < 1) return `plan.nodes: 1 to ${nodesMax}`;
  if (!isCount(plan.faultsMs, 1e9)) return 'plan.faultsMs';
  const known = new Set<string>(faultKinds);
  const isStrike = (strike: { kind: FaultKind; atMs: number; lastsMs: number; draw: number }): boolean =>
    known.has(strike?.kind) &&
    isCount(strike.atMs, 1e9) &&
    isCount(strike.lastsMs, 1e9) &&
    isCount(strike.draw, 2 ** 31);
  if (!Array.isArray(plan.strikes) || !plan.strikes.every(isStrike)) return 'plan.strikes';
  for (const part of ['network', 'disk', 'workload'] as const) {
    const values = Object.values(plan[part] ?? { missing: undefined });
    if (!values.every((value) => typeof value === 'number' || typeof value === 'string')) return `plan.${part}`;
  }
  return undefined;
}
