import { encodeConfiguration } from '../../consensus/configuration.ts';
import { type Entry, entryKinds } from '../../consensus/entry.ts';
import { type Command, encodeCommand } from '../core/command.ts';
import type { Write } from '../core/effect.ts';
import { founderMark } from '../core/founding.ts';
import type { NodeId } from '../core/message.ts';
import { keys, writeEntry, writeJson } from '../core/records.ts';
import { majorityOf } from '../core/replication.ts';
import {
  byLog,
  lostVoters,
  nameOf,
  type OpenSurvivor,
  openSurvivor,
  type Recovered,
  RecoverRefused,
  type Survivor,
} from './survivor.ts';

export interface RecoveryOptions {
  /** Data directory of the node whose log the new cluster starts from. */
  directory: string;
  /** Of the other survivors, which follow it. */
  others: readonly string[];
  /** The id of the cluster that lost its majority, as somebody typed it. */
  confirm: string | undefined;
  /** Start from this log although another one of those given is longer. */
  forceThisOne: boolean;
  /** Agents most of whose holders are lost go on from what the survivors hold, which may lack acknowledged tasks. */
  acceptOlderState: boolean;
  /** Wall clock, ms since 1970, for the audit trail. */
  atMs: number;
  /** Eight hexadecimal digits that no other recovery draws. */
  nonce: string;
}

export interface Recovery extends Recovered {
  /** Whose log it starts from. */
  node: NodeId;
  name: string;
  lastTerm: number;
  lastIndex: number;
  /** Who follows it. */
  followers: NodeId[];
  /** Voters of the lost cluster that are not here, by name. */
  lostVoters: string[];
  /** It was begun before and is completed now. */
  resumed: boolean;
}

/** The new cluster stands, but not every survivor is part of it yet. */
export class RecoverIncomplete extends Error {
  override readonly name = 'RecoverIncomplete';
}

/** Entries that only push the log's index on, so that no new epoch is one that a survivor knows. */
const fillersMax = 100_000;

/**
 * Makes a new cluster of what is left of one that lost its majority for good. All stores are opened and judged before the
 * first is written. The one with the log comes first, in one batch; whoever is interrupted behind it runs it again.
 * Throws `RecoverRefused` or an error of the store; nothing was changed then, unless it says so.
 */
export async function recover(options: RecoveryOptions): Promise<Recovery> {
  const opened: OpenSurvivor[] = [];
  try {
    for (const directory of [options.directory, ...options.others]) opened.push(await openSurvivor(directory));
    const [first, ...others] = opened as [OpenSurvivor, ...OpenSurvivor[]];
    const { survivor } = first;
    refuseTwins(opened);
    if (survivor.cluster === '' || survivor.voters.length === 0) {
      throw refused(`${survivor.directory} knows of no cluster: its log names no voters`, 'Give another survivor.');
    }
    const before = resumable(survivor, options.confirm);
    for (const other of others) refuseStranger(survivor, other.survivor, before);
    if (before === undefined) refuseUnlessBest(opened, options);
    const recovered = before ?? (await begin(first, others, options));
    for (const other of others) await follow(other, recovered);
    return summaryOf(survivor, others, recovered, before !== undefined);
  } finally {
    for (const { store } of opened) await store.close();
  }
}

const refused = (what: string, next: string): RecoverRefused =>
  new RecoverRefused(`${what}. Nothing was changed. ${next}`);

/** A recovery of that cluster from this very log, which may have been interrupted. */
function resumable({ cluster, recovered }: Survivor, confirm: string | undefined): Recovered | undefined {
  return recovered !== undefined && recovered.cluster === cluster && recovered.from === confirm ? recovered : undefined;
}

function refuseTwins(opened: readonly OpenSurvivor[]): void {
  const nodes = opened.map(({ survivor }) => survivor.node);
  const twin = opened.find(({ survivor }, at) => nodes.indexOf(survivor.node) < at);
  if (twin === undefined) return;
  throw refused(`${twin.survivor.directory} is of a node that was given twice`, 'Give one directory of each node.');
}

function refuseUnlessBest(opened: readonly OpenSurvivor[], { confirm, forceThisOne }: RecoveryOptions): void {
  const survivors = opened.map(({ survivor }) => survivor);
  const [first] = survivors as [Survivor, ...Survivor[]];
  const [best = first] = [...survivors].sort(byLog);
  if (byLog(first, best) > 0 && !forceThisOne) {
    throw refused(
      `${first.directory} is not the best survivor: its log ends at ${endOf(first)}, that of ${best.directory} at ${endOf(best)}`,
      `Recover from ${best.directory}, or lose what only that one knows with "--force-this-one".`,
    );
  }
  const present = first.voters.filter((voter) => survivors.some(({ node }) => node === voter));
  if (present.length >= majorityOf(first.voters.length)) {
    throw refused(
      `${present.length} of ${first.voters.length} voters are here: that is a majority, and nothing is lost`,
      'Start these nodes as they are; leave those that cannot be started out of the command.',
    );
  }
  if (confirm === first.cluster) return;
  const lost = lostVoters(first, present).map((voter) => nameOf(first, voter));
  throw refused(
    `${confirm === undefined ? 'This was not confirmed' : `"${confirm}" is not the id of the cluster`}: a new cluster would go on from the log of ` +
      `${first.name}, up to ${endOf(first)}; what only ${lost.join(', ')} knew is lost for good, and agents most of ` +
      'whose holders are lost stay without their state',
    `If those voters never come back, add "--confirm ${first.cluster}".`,
  );
}

function refuseStranger(first: Survivor, other: Survivor, before: Recovered | undefined): void {
  if (before === undefined ? other.cluster === first.cluster : [before.from, before.cluster].includes(other.cluster)) {
    const isKnown = before === undefined || other.cluster === before.cluster || other.epoch < before.index;
    if (isKnown) return;
    throw refused(
      `${other.directory} knows of epochs up to ${other.epoch}, which the recovered cluster gives to others`,
      'Leave it out, empty it, and start it as a new node.',
    );
  }
  throw refused(
    `${other.directory} belongs to cluster ${other.cluster || '(none)'}, and ${first.directory} to ${first.cluster}`,
    'Leave it out; as a new node with an empty data directory it can join.',
  );
}

const endOf = ({ lastTerm, lastIndex }: Survivor): string => `term ${lastTerm}, index ${lastIndex}`;

async function begin(
  { survivor, store }: OpenSurvivor,
  others: readonly OpenSurvivor[],
  { atMs, nonce, acceptOlderState: olderState }: RecoveryOptions,
): Promise<Recovered> {
  const { node, lastTerm, lastIndex, cluster: from } = survivor;
  const survivors = [node, ...others.map((other) => other.survivor.node)];
  const cluster = nonce + founderMark(node);
  const term = Math.max(survivor.term, lastTerm) + 1;
  // An epoch is the log index of a placement. None may come again: a holder would take new state for what it has.
  const epoch = [survivor, ...others.map((other) => other.survivor)].reduce(
    (most, one) => Math.max(most, one.epoch),
    0,
  );
  const fillers = Math.max(0, epoch - lastIndex);
  if (fillers > fillersMax) {
    throw refused(`the log of ${survivor.name} lacks ${fillers} entries`, 'Recover from a node that knows more.');
  }
  const index = lastIndex + fillers + 1;
  const lost = lostVoters(survivor, survivors);
  const log = { lastTerm, lastIndex };
  const told: Command = {
    kind: 'clusterRecovered',
    atMs,
    from,
    cluster,
    ...log,
    survivors,
    lostVoters: lost,
    olderState,
    otherLetters: true,
  };
  const entries: Entry[] = [];
  const add = (kind: number, data: Uint8Array): unknown =>
    entries.push({ index: lastIndex + 1 + entries.length, term, kind, data });
  for (let filler = 0; filler < fillers; filler++) add(entryKinds.command, encodeCommand({ kind: 'skip', atMs }));
  add(entryKinds.command, encodeCommand(told));
  add(entryKinds.configuration, encodeConfiguration({ voters: [node], learners: survivors.slice(1) }));
  const recovered: Recovered = { from, cluster, index };
  await store.write([
    writeJson(keys.cluster, cluster),
    writeJson(keys.recovered, recovered),
    writeJson(keys.hardState, { term, vote: '' }),
    ...entries.map(writeEntry),
  ]);
  return recovered;
}

async function follow(other: OpenSurvivor, { cluster, from }: Recovered): Promise<void> {
  const { survivor, store } = other;
  if (survivor.cluster === cluster) return;
  try {
    await store.write(toBlankFollower(other, cluster));
  } catch (error) {
    throw new RecoverIncomplete(
      `Cluster ${from} is recovered as ${cluster}, but ${survivor.directory} is not part of it yet: ` +
        `${(error as Error).message} That directory holds what it held before, or is part of it. Run the same command again.`,
    );
  }
}

/** It stays who it is and keeps the agents' states; the log and its votes were those of the lost cluster. */
function toBlankFollower({ records }: OpenSurvivor, cluster: string): Write[] {
  const log = [...records.keys()].filter((key) => key.startsWith(keys.raftPrefix));
  return [
    ...log.map((key) => ({ key, value: undefined })),
    writeJson(keys.hardState, { term: 0, vote: '' }),
    writeJson(keys.cluster, cluster),
  ];
}

function summaryOf(
  survivor: Survivor,
  others: readonly OpenSurvivor[],
  recovered: Recovered,
  resumed: boolean,
): Recovery {
  const { node, name, lastTerm, lastIndex } = survivor;
  const followers = others.map((other) => other.survivor.node);
  // Of one that was begun before, the log names the new voter only.
  const lost = resumed ? [] : lostVoters(survivor, [node, ...followers]).map((voter) => nameOf(survivor, voter));
  return { ...recovered, node, name, lastTerm, lastIndex, followers, lostVoters: lost, resumed };
}
