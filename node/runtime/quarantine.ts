import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ed25519PrivateKey } from '@libp2p/interface';
import { identityFileName, loadIdentity } from './identity.ts';
import type { Store } from './ports.ts';
import { openStore } from './store.ts';
import { StoreBusy, StoreDamaged, StoreUnavailable } from './store-errors.ts';
import { withStoreLocked } from './store-lock.ts';

const storeName = 'store';
const asidePrefix = `${storeName}.damaged-`;
const asideMax = 3;
/** Stands in the data directory from the moment of the damage until the node is a member again. */
const noteName = 'rejoining';

export interface DiskInit {
  dataDirectory: string;
  /** Whether a damaged store is set aside, and the node comes back as a new member. */
  rejoins: boolean;
  /** Whether there are addresses to join through. */
  canJoin: boolean;
}

/** A node that lost its store and is not a member again yet. It must not found a cluster. */
export interface Rejoin {
  /** What was wrong with the store. */
  reason: string;
  /** Where the store is now. */
  aside: string;
  /** All of this for people. */
  text: string;
  /** To be called when the cluster has admitted the node: from its next start on it is one like any other. */
  done(): Promise<void>;
}

export interface Disk {
  store: Store;
  identity: Ed25519PrivateKey;
  rejoin: Rejoin | undefined;
}

/**
 * Opens the store of a data directory and the identity that belongs to it.
 *
 * With a damaged store goes the identity: a node that forgot what it promised must not be taken for the one that
 * promised it (docs/adr/0008 and 0012). Both are set aside, and the node begins anew under another id. An identity whose
 * store is gone is no better. Throws `StoreDamaged` when that is not wanted or there is nobody to join, and what
 * `openStore` and `loadIdentity` throw; nothing is changed then.
 */
export async function openDisk(init: DiskInit): Promise<Disk> {
  const { dataDirectory } = init;
  const directory = join(dataDirectory, storeName);
  const seen = await inodeOf(directory);
  let store: Store;
  try {
    store = await openWithIdentity(dataDirectory, directory);
  } catch (error) {
    if (!(error instanceof StoreDamaged) || !init.rejoins) throw error;
    if (!init.canJoin) throw new StoreDamaged(directory, error.what, nobodyToJoin);
    await setAside(dataDirectory, error.what, seen);
    store = await openStore(directory);
  }
  try {
    // Behind the store: an identity that has none lost it.
    return { store, identity: await loadIdentity(dataDirectory), rejoin: await readNote(dataDirectory) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

const nobodyToJoin =
  'CONCLAVE_JOIN names no node through which it could come back as a new member. Set it and start the node again, or ' +
  "remove this node's data directory first, for it to begin like a new one.";

async function openWithIdentity(dataDirectory: string, directory: string): Promise<Store> {
  const files = (await inodeOf(directory)) === undefined ? [] : await readdir(directory);
  // LevelDB makes its lock and its log of events before anything else.
  const isGone = files.every((file) => /^(LOCK|LOG|LOG\.old)$/.test(file));
  if (isGone && (await inodeOf(join(dataDirectory, identityFileName))) !== undefined) {
    throw new StoreDamaged(directory, 'it is gone, but this node had one: it has an identity');
  }
  return openStore(directory);
}

/**
 * In an order that can be broken off anywhere and is taken up at the next start: the note first, so that no cluster is
 * founded; then the identity, so that nobody uses it with another store; the store last.
 */
async function setAside(dataDirectory: string, what: string, seen: number | undefined): Promise<void> {
  const directory = join(dataDirectory, storeName);
  const aside = join(dataDirectory, asidePrefix + new Date().toISOString().replaceAll(':', ''));
  const moved = await withStoreLocked(directory, async () => {
    // Another process may have been faster, and the store that is there now may be its new one.
    if ((await inodeOf(directory)) !== seen) return false;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeNote(dataDirectory, { reason: what, aside });
    await renameIfThere(join(dataDirectory, identityFileName), join(directory, identityFileName));
    await rename(directory, aside);
    await syncDirectory(dataDirectory);
    return true;
  }).catch((error: Error) => {
    throw new StoreUnavailable(directory, `it is damaged (${what}) and cannot be set aside: ${error.message}`);
  });
  if (moved !== true) throw new StoreBusy(directory);
  const kept = (await readdir(dataDirectory)).filter((name) => name.startsWith(asidePrefix)).sort();
  for (const name of kept.slice(0, -asideMax)) await rm(join(dataDirectory, name), { recursive: true, force: true });
}

interface Note {
  reason: string;
  aside: string;
}

async function writeNote(dataDirectory: string, note: Note): Promise<void> {
  const file = join(dataDirectory, noteName);
  await writeFile(`${file}.new`, `${JSON.stringify(note)}\n`, { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
  await syncDirectory(dataDirectory);
}

/** That the note is there is what counts; what it says is for people. */
async function readNote(dataDirectory: string): Promise<Rejoin | undefined> {
  const file = join(dataDirectory, noteName);
  let note: Partial<Note> = {};
  try {
    note = JSON.parse(await readFile(file, 'utf8')) as Partial<Note>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  }
  const { reason = 'unknown', aside = dataDirectory } = note ?? {};
  const text =
    `The store of this node was damaged: ${reason}. It was set aside as ${aside}, its identity with it. ` +
    'The node joins as a new member under a new id, and neither votes nor leads until the cluster has brought it up to date';
  return { reason, aside, text, done: () => rm(file, { force: true }) };
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Without it a rename may be undone by a power failure. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
