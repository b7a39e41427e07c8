import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { Raft } from '../../consensus/raft.ts';
import { isBranchKey } from '../core/branch.ts';
import { ClusterState } from '../core/cluster-state.ts';
import { joinsIn } from '../core/command.ts';
import type { NodeId } from '../core/message.ts';
import { keys } from '../core/records.ts';
import { type Restored, restore } from '../core/restored.ts';
import { loadState } from '../core/state-snapshot.ts';
import { fromBytes, fromJson } from '../core/text.ts';
import { loadIdentity } from '../runtime/identity.ts';
import type { Store } from '../runtime/ports.ts';
import { openStore } from '../runtime/store.ts';
import { StoreDamaged } from '../runtime/store-errors.ts';

/** What a recovery writes down in the store of the node that it starts from. */
export interface Recovered {
  /** The cluster that lost its majority. */
  from: string;
  /** The one that was made of it. */
  cluster: string;
  /** Log index of the recovery: every epoch below it is of the lost cluster. */
  index: number;
}

/** What the data directory of a stopped node holds, as far as a recovery asks. */
export interface Survivor {
  directory: string;
  node: NodeId;
  /** By its log; the end of its id when that does not say. */
  name: string;
  /** Empty when it never met one. */
  cluster: string;
  term: number;
  lastTerm: number;
  lastIndex: number;
  voters: NodeId[];
  learners: NodeId[];
  /** Names of nodes, by its log. */
  names: Record<NodeId, string>;
  /** The highest epoch that it promised or holds for any agent. */
  epoch: number;
  recovered: Recovered | undefined;
}

const keepIt = 'Keep this directory as it is, and recover from another one.';

/** A survivor whose store is open, so that no node can start on it meanwhile. */
export interface OpenSurvivor {
  survivor: Survivor;
  store: Store;
  records: ReadonlyMap<string, Uint8Array>;
}

/** It cannot be recovered from. Nothing was changed. */
export class RecoverRefused extends Error {
  override readonly name = 'RecoverRefused';
}

/**
 * Opens the data directory of a stopped node. Throws `RecoverRefused` when there is none, `StoreBusy` while a node runs on
 * it, `StoreDamaged` or `IdentityDamaged` when it is not what was written.
 */
export async function openSurvivor(given: string): Promise<OpenSurvivor> {
  const directory = resolve(given);
  for (const part of ['identity.key', 'store']) {
    await access(join(directory, part)).catch(() => {
      throw new RecoverRefused(
        `${directory} is no data directory of a node: there is no "${part}" in it. Nothing was changed. ` +
          'Give the directory that CONCLAVE_DATA names.',
      );
    });
  }
  const node = peerIdFromPrivateKey(await loadIdentity(directory)).toString();
  const store = await open(join(directory, 'store'));
  try {
    const records = await store.load();
    return { survivor: read(directory, node, records), store, records };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** What a node would be told, to begin anew from the others, would be the end of what is left here. */
async function open(directory: string): Promise<Store> {
  try {
    return await openStore(directory);
  } catch (error) {
    if (error instanceof StoreDamaged) throw new StoreDamaged(directory, error.what, keepIt);
    throw error;
  }
}

function read(directory: string, node: NodeId, records: ReadonlyMap<string, Uint8Array>): Survivor {
  let restored: Restored;
  let raft: Raft;
  try {
    restored = restore(records);
    raft = new Raft({ id: node, ...restored.log, random: () => 0, nowMs: 0 });
  } catch (error) {
    throw new StoreDamaged(join(directory, 'store'), (error as Error).message, keepIt);
  }
  const { voters, learners } = raft.configuration();
  const names = namesIn(restored.log);
  const note = records.get(keys.recovered);
  return {
    directory,
    node,
    name: names[node] ?? node.slice(-8),
    cluster: restored.cluster,
    term: restored.log.hardState.term,
    lastTerm: (restored.log.entries.at(-1) ?? restored.log.base)?.term ?? 0,
    lastIndex: raft.lastIndex,
    voters: [...voters],
    learners: [...learners],
    names,
    epoch: highestEpoch(restored.holders),
    recovered: note === undefined ? undefined : (fromJson(fromBytes(note)) as Recovered),
  };
}

/** By the state that the log's snapshot holds, and by who joined since. */
function namesIn({ snapshot, entries }: Restored['log']): Record<NodeId, string> {
  const state = new ClusterState();
  if (snapshot !== undefined) loadState(state, snapshot.data);
  const joined = [...state.members.values(), ...joinsIn(entries)];
  return Object.fromEntries(joined.map(({ node, profile }) => [node, profile.name]));
}

/** Whose log holds all that the other's may have committed; 0 when they end alike (Raft, 5.4.1). */
export function byLog(a: Survivor, b: Survivor): number {
  return b.lastTerm - a.lastTerm || b.lastIndex - a.lastIndex;
}

/** What people call a node. */
export function nameOf({ names }: Survivor, node: NodeId): string {
  return names[node] ?? node.slice(-8);
}

/** Voters by its log that are not among those present, in the order of their names. */
export function lostVoters(survivor: Survivor, present: readonly NodeId[]): NodeId[] {
  const lost = survivor.voters.filter((voter) => !present.includes(voter));
  return lost.sort((a, b) => nameOf(survivor, a).localeCompare(nameOf(survivor, b), 'en', { numeric: true }));
}

/** The highest epoch that any agent's holder knows of; a branch's number is none. */
export function highestEpoch(holders: Restored['holders']): number {
  let highest = 0;
  for (const [agent, { record }] of holders) {
    if (!isBranchKey(agent)) highest = Math.max(highest, record.sealedEpoch, record.epoch);
  }
  return highest;
}
