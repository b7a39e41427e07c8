import { majorityOf } from '../core/replication.ts';
import { byLog, lostVoters, nameOf, openSurvivor, type Survivor } from './survivor.ts';

/** A directory that was looked at: what it holds, or why it cannot be used. */
export type Inspected = { directory: string } & (
  | { survivor: Survivor; problem: undefined }
  | { survivor: undefined; problem: string }
);

export interface Inspection {
  inspected: Inspected[];
  /** The one to recover from; undefined when there is none. */
  best: Survivor | undefined;
  /** Arguments of `conclave` that recover from it; undefined when none should be. */
  command: string[] | undefined;
  /** What to do next and why, a sentence or two. */
  advice: string;
}

/** Looks at data directories of stopped nodes and says which is the best to recover from. Changes nothing of what is stored; LevelDB may write it anew. */
export async function inspect(directories: readonly string[]): Promise<Inspection> {
  const inspected: Inspected[] = [];
  for (const directory of directories) inspected.push(await look(directory));
  const usable = inspected.flatMap(({ survivor }) => (survivor && survivor.voters.length > 0 ? [survivor] : []));
  const all = inspected.flatMap(({ survivor }) => survivor ?? []);
  return { inspected, ...advise(usable, all) };
}

async function look(directory: string): Promise<Inspected> {
  try {
    const { survivor, store } = await openSurvivor(directory);
    await store.close();
    return { directory: survivor.directory, survivor, problem: undefined };
  } catch (error) {
    return { directory, survivor: undefined, problem: (error as Error).message };
  }
}

function advise(usable: readonly Survivor[], all: readonly Survivor[]): Omit<Inspection, 'inspected'> {
  const [best] = [...usable].sort(byLog);
  if (best === undefined) {
    const advice = 'None of these can be recovered from. Look for data directories of other nodes.';
    return { best, command: undefined, advice };
  }
  const { recovered } = best;
  const others = all.filter(({ node, cluster }) => node !== best.node && cluster !== '');
  const begun = recovered?.cluster === best.cluster ? recovered : undefined;
  const strange = others.filter(({ cluster }) => cluster !== best.cluster && cluster !== begun?.from);
  if (strange.length > 0) {
    const ids = [...new Set([best, ...strange].map(({ cluster }) => cluster))];
    const advice = `These are of different clusters (${ids.join(', ')}). Inspect those of one only.`;
    return { best: undefined, command: undefined, advice };
  }
  if (others.some(({ cluster }) => cluster !== best.cluster)) {
    const advice = `A recovery from ${best.name} was begun and is not complete. The same command completes it.`;
    return { best, command: commandFor(best, others, begun?.from ?? ''), advice };
  }
  const present = best.voters.filter((voter) => all.some(({ node }) => node === voter));
  if (present.length >= majorityOf(best.voters.length)) {
    const advice = `${present.length} of ${best.voters.length} voters are here, a majority: start them, there is nothing to recover.`;
    return { best, command: undefined, advice };
  }
  const lost = lostVoters(best, present).map((voter) => nameOf(best, voter));
  const advice =
    `The best survivor is ${best.name}: its log ends last, at term ${best.lastTerm}, index ${best.lastIndex}. ` +
    `Go on only if ${lost.join(', ')} will never come back: what only they knew is lost then.`;
  return { best, command: commandFor(best, others, best.cluster), advice };
}

function commandFor(best: Survivor, others: readonly Survivor[], cluster: string): string[] {
  const followers = others.flatMap(({ directory }) => ['--and', directory]);
  return ['recover', '--force-new-cluster', best.directory, ...followers, '--confirm', cluster];
}
