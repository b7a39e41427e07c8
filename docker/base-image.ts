import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import tar from 'tar-stream';
import { type Engine, engineMessage, readProgress } from './engine.ts';
import { FleetError, type OnProgress } from './fleet.ts';

/** The base that is used where a registry can be reached; the default of BASE_IMAGE in the Dockerfile. */
export const publicBase = 'node:24-bookworm-slim';

const ownRepository = 'conclave-base';
const pullSilenceMaxMs = 8_000;
const pullMaxMs = 180_000;

/** What agents that are processes are started with: where it is missing there can be none. */
const starters = ['/bin/sh', '/usr/bin/setpriv'];

/** Loaded by name at run time where the C library has them as files of their own, so ldd does not list them. */
const nameResolution = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

/**
 * An image with Node in it: the public one if the engine has it or can pull it, else one made of the Node binary that
 * runs this. A registry that does not answer delays this by 8 s at most, and only until the own base was made once.
 */
export async function ensureBaseImage(engine: Engine, onProgress: OnProgress, signal?: AbortSignal): Promise<string> {
  if (await hasImage(engine, publicBase)) return publicBase;
  const own = await describeOwnBase();
  if (typeof own !== 'string' && (await hasImage(engine, own.image))) return own.image;
  onProgress({ phase: 'image', text: `pulling ${publicBase}` });
  const pullProblem = await pull(engine, onProgress, signal);
  signal?.throwIfAborted();
  if (pullProblem === undefined) return publicBase;
  if (typeof own === 'string') throw noBase(pullProblem, own);
  onProgress({ phase: 'image', text: `${publicBase} cannot be pulled: making a base of this machine's Node` });
  try {
    await importOwnBase(engine, own);
  } catch (error) {
    throw noBase(pullProblem, engineMessage(error));
  }
  return own.image;
}

/** The one that is made of this machine's Node, whatever a registry has. Throws `FleetError`. */
export async function ensureOwnBase(engine: Engine): Promise<string> {
  const own = await describeOwnBase();
  if (typeof own === 'string') throw noBase('it was not asked for', own);
  if (!(await hasImage(engine, own.image))) await importOwnBase(engine, own);
  return own.image;
}

function noBase(pullProblem: string, ownProblem: string): FleetError {
  return new FleetError(
    `No base image: ${publicBase} cannot be pulled (${pullProblem}) and none can be made of this machine's Node ` +
      `(${ownProblem}). No node was started. Bring the image in with "docker load", or use "--processes".`,
    69,
  );
}

export async function hasImage(engine: Engine, image: string): Promise<boolean> {
  return (await imageId(engine, image)) !== undefined;
}

/** The hash of what the engine has under this name; undefined where it has nothing. */
export async function imageId(engine: Engine, image: string): Promise<string | undefined> {
  try {
    return (await engine.getImage(image).inspect()).Id;
  } catch {
    return undefined;
  }
}

/** Returns why it failed. Given up when the engine reports nothing for 8 s, so that no firewall can hang it. */
async function pull(engine: Engine, onProgress: OnProgress, signal?: AbortSignal): Promise<string | undefined> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(signal?.reason);
  signal?.addEventListener('abort', interrupt, { once: true });
  const giveUp = (reason: string) => (): void => abort.abort(new Error(reason));
  const silence = setTimeout(giveUp('the registry does not answer'), pullSilenceMaxMs);
  const whole = setTimeout(giveUp('it takes too long'), pullMaxMs);
  const aborted = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => reject(abort.signal.reason as Error), { once: true });
  });
  try {
    const pulling = engine.pull(publicBase, { abortSignal: abort.signal }).then((stream) =>
      readProgress(engine, stream, ({ status, progress }) => {
        silence.refresh();
        if (progress !== undefined)
          onProgress({ phase: 'image', text: `pulling ${publicBase}: ${status} ${progress}` });
      }),
    );
    await Promise.race([pulling, aborted]);
    return undefined;
  } catch (error) {
    return engineMessage(error);
  } finally {
    clearTimeout(silence);
    clearTimeout(whole);
    signal?.removeEventListener('abort', interrupt);
  }
}

interface OwnBase {
  image: string;
  node: string;
  /** Other programs: where each is looked for → the file. */
  programs: ReadonlyMap<string, string>;
  /** Where each library is looked for at run time. */
  libraries: string[];
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ldd', [program], { timeout: 10_000 });
  return [...stdout.matchAll(/(?:=>\s+)?(\/\S+) \(0x/g)].map((match) => match[1] as string);
}

/** What an own base would consist of, or why there can be none. */
async function describeOwnBase(): Promise<OwnBase | string> {
  if (process.platform !== 'linux') return `it is for ${process.platform}, containers need Linux`;
  try {
    const node = await realpath(process.execPath);
    const programs = new Map<string, string>();
    for (const path of starters) {
      const file = await realpath(path).catch(() => undefined);
      if (file !== undefined) programs.set(path, file);
    }
    const listed = await librariesOf(node);
    // One that is linked statically has none.
    for (const file of programs.values()) listed.push(...(await librariesOf(file).catch(() => [])));
    const libc = listed.find((library) => library.includes('libc.so'));
    const libraries = new Set(listed);
    for (const name of nameResolution) {
      const path = join(dirname(libc ?? '/lib/x'), name);
      if (await stat(path).catch(() => undefined)) libraries.add(path);
    }
    const hash = createHash('sha256').update(process.version);
    for (const file of [node, ...programs.values(), ...libraries]) hash.update(`${file}\0${(await stat(file)).size}\0`);
    const image = `${ownRepository}:${process.version}-${process.arch}-${hash.digest('hex').slice(0, 8)}`;
    return { image, node, programs, libraries: [...libraries] };
  } catch (error) {
    return (error as Error).message;
  }
}

async function importOwnBase(engine: Engine, base: OwnBase): Promise<void> {
  const [repo, tag] = base.image.split(':');
  const pack = tar.pack();
  const filled = fillRootFs(pack, base).catch((error: Error) => pack.destroy(error));
  const stream = await engine.importImage(pack as unknown as NodeJS.ReadableStream, {
    repo,
    tag,
    message: `Node ${process.version} and its libraries`,
  });
  await readProgress(engine, stream);
  await filled;
}

async function fillRootFs(pack: tar.Pack, { node, programs, libraries }: OwnBase): Promise<void> {
  const made = new Set<string>();
  const addDirectory = (path: string, mode = 0o755): void => {
    if (path === '/' || path === '.' || made.has(path)) return;
    addDirectory(dirname(path));
    made.add(path);
    pack.entry({ name: path.slice(1), type: 'directory', mode });
  };
  const addText = (path: string, text: string): void => {
    addDirectory(dirname(path));
    pack.entry({ name: path.slice(1), mode: 0o644 }, text);
  };
  const addFile = async (path: string, source: string): Promise<void> => {
    addDirectory(dirname(path));
    const { size } = await stat(source);
    await new Promise<void>((resolve, reject) => {
      const entry = pack.entry({ name: path.slice(1), mode: 0o755, size }, (error) =>
        error ? reject(error) : resolve(),
      );
      createReadStream(source).on('error', reject).pipe(entry);
    });
  };
  addDirectory('/tmp', 0o1777);
  addText('/etc/passwd', 'root:x:0:0:root:/root:/sbin/nologin\nnode:x:1000:1000:node:/tmp:/sbin/nologin\n');
  addText('/etc/group', 'root:x:0:\nnode:x:1000:\n');
  addText('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  await addFile('/usr/local/bin/node', node);
  for (const [path, file] of programs) await addFile(path, file);
  for (const library of libraries) await addFile(library, library);
  pack.finalize();
}
