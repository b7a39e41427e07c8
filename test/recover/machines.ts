import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { encodeConfiguration } from '../../consensus/configuration.ts';
import { type Entry, entryKinds } from '../../consensus/entry.ts';
import { Raft } from '../../consensus/raft.ts';
import { apply } from '../../node/core/apply.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import { decodeCommand, encodeCommand } from '../../node/core/command.ts';
import type { Write } from '../../node/core/effect.ts';
import { LogRecords } from '../../node/core/log-records.ts';
import { keys, writeEntry, writeHolder, writeJson } from '../../node/core/records.ts';
import { restore } from '../../node/core/restored.ts';
import { encodeState } from '../../node/core/state-snapshot.ts';
import { type RecoveryOptions, recover } from '../../node/recover/recovery.ts';
import { loadIdentity } from '../../node/runtime/identity.ts';
import { openStore } from '../../node/runtime/store.ts';

const made: string[] = [];

/** Removes what `machines` made: for after each test. */
export async function removeMachines(): Promise<void> {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
}

export const lost = 'aaaa1111.foundersmark';
const profile = { addresses: [], site: '', capabilities: [], admin: '', agentsMax: 1 };

export const agent = {
  type: 'counter',
  strategy: 'round_robin',
  capabilities: [],
  holdersWanted: 3,
  created: 6,
  reason: '',
  decision: undefined,
};

export interface Machine {
  directory: string;
  node: string;
}

/** Five stopped nodes with nothing on their disks but their identities. */
async function machines(): Promise<[Machine, Machine, Machine, Machine, Machine]> {
  const root = await mkdtemp(join(tmpdir(), 'conclave-recover-'));
  made.push(root);
  const all = [1, 2, 3, 4, 5].map(async (number) => {
    const directory = join(root, `node-${number}`);
    await writeStore(directory, []);
    return { directory, node: peerIdFromPrivateKey(await loadIdentity(directory)).toString() };
  });
  return (await Promise.all(all)) as [Machine, Machine, Machine, Machine, Machine];
}

export async function writeStore(directory: string, writes: Write[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  const store = await openStore(join(directory, 'store'));
  await store.write(writes);
  await store.close();
}

export async function recordsOf(directory: string): Promise<Map<string, Uint8Array>> {
  const store = await openStore(join(directory, 'store'));
  try {
    return await store.load();
  } finally {
    await store.close();
  }
}

/** The log of a cluster whose five voters joined, up to an index, all of term 3. */
export function logUpTo(index: number, all: readonly Machine[]): Entry[] {
  const voters = all.map(({ node }) => node);
  const entries: Entry[] = [
    { index: 1, term: 1, kind: entryKinds.configuration, data: encodeConfiguration({ voters, learners: [] }) },
  ];
  for (const [at, node] of voters.entries()) {
    const command = {
      kind: 'memberJoin',
      atMs: 1,
      node,
      boot: 1,
      start: 's1',
      profile: { ...profile, name: `node-${at + 1}` },
    };
    entries.push({ index: at + 2, term: 3, kind: entryKinds.command, data: encodeCommand(command as never) });
  }
  while (entries.length < index) {
    const data = encodeCommand({ kind: 'skip', atMs: 1 });
    entries.push({ index: entries.length + 1, term: 3, kind: entryKinds.command, data });
  }
  return entries.slice(0, index);
}

interface Held {
  index: number;
  cluster?: string;
  epoch?: number;
}

export async function fill(machine: Machine, all: readonly Machine[], { index, cluster = lost, epoch = 0 }: Held) {
  const record = { sealedEpoch: epoch, epoch, sequence: 3, state: Buffer.from('kept'), checksum: 0 };
  await writeStore(machine.directory, [
    writeJson(keys.boot, 4),
    writeJson(keys.cluster, cluster),
    writeJson(keys.hardState, { term: 4, vote: machine.node }),
    ...logUpTo(index, all).map(writeEntry),
    ...(epoch > 0 ? [writeHolder('counter', record)] : []),
  ]);
}

/** Nodes 1 and 2 are left of five; node 1 knows more. */
export async function remains(first: Partial<Held> = {}, second: Partial<Held> = {}) {
  const all = await machines();
  const [best, other] = all;
  await fill(best, all, { index: 12, ...first });
  await fill(other, all, { index: 9, ...second });
  return { all, best, other };
}

export const recoverFrom = (machine: Machine, others: readonly Machine[], changes: Partial<RecoveryOptions> = {}) =>
  recover({
    directory: machine.directory,
    others: others.map(({ directory }) => directory),
    confirm: lost,
    forceThisOne: false,
    acceptOlderState: false,
    atMs: 77,
    nonce: 'bbbb2222',
    ...changes,
  });

/** The log of a store read by the Raft module, and the state that it leads to. */
export async function readBack(directory: string) {
  const restored = restore(await recordsOf(directory));
  const raft = new Raft({ id: 'reader', ...restored.log, random: () => 0, nowMs: 0 });
  const state = new ClusterState();
  const reports: string[] = [];
  for (const entry of restored.log.entries) {
    if (entry.kind !== entryKinds.command) continue;
    const applied = apply(state, decodeCommand(entry.data), entry.index);
    if (applied.ok) reports.push(`${entry.index} ${applied.kind}: ${applied.text}`);
  }
  return { restored, raft, state, reports };
}

/** Puts everything that the log of a store holds into a snapshot. */
export async function compact(directory: string): Promise<void> {
  const { raft, state, restored } = await readBack(directory);
  const { entries } = restored.log;
  state.index = raft.lastIndex;
  const { index = 0, term = 0 } = entries.at(-1) ?? {};
  const snapshot = {
    index,
    term,
    base: { index, term },
    configuration: raft.configuration(),
    data: encodeState(state),
  };
  const persist = { snapshot, dropFrom: 1, dropThrough: index, entries: [] };
  await writeStore(directory, new LogRecords(restored.log).writes(persist));
}

/** What `conclave recover` advises for these survivors. */
export const commandFor = (best: Machine, other: Machine): string[] => [
  'recover',
  '--force-new-cluster',
  best.directory,
  '--and',
  other.directory,
  '--confirm',
  lost,
];
