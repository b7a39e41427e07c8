import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import tar from 'tar-stream';
import { ensureBaseImage, hasImage, imageId } from './base-image.ts';
import { type Engine, engineMessage, readProgress } from './engine.ts';
import { FleetError, type OnProgress } from './fleet.ts';
import { type Program, readProgram } from './program.ts';

const repository = 'conclave';

export interface ImageSource {
  /** The built program. */
  distDirectory: string;
  dockerfile: string;
  /** An image with Node at /usr/local/bin/node to build on, instead of one that is found or made. */
  base?: string | undefined;
}

/** The tag of this program's image: a hash of the program, of the Dockerfile and of the base. It need not be built yet. */
export async function imageOf(engine: Engine, source: ImageSource): Promise<string> {
  return (await readSource(engine, source)).image;
}

async function readSource(engine: Engine, source: ImageSource): Promise<Omit<Build, 'base'>> {
  const { distDirectory, dockerfile: path, base } = source;
  const program = await readProgram(distDirectory);
  const dockerfile = await readFile(path, 'utf8');
  const hash = createHash('sha256')
    .update(program.hash)
    .update(dockerfile)
    // By its content where it is there: under the same name there may be another one later.
    .update(base === undefined ? '' : ((await imageId(engine, base)) ?? base))
    .digest('hex')
    .slice(0, 12);
  return { image: `${repository}:${hash}`, program, dockerfile };
}

/**
 * Makes sure that the engine has the image of this program and returns its tag; an unchanged program is not built again.
 * Throws `FleetError`; no container was touched then.
 */
export async function ensureImage(
  engine: Engine,
  source: ImageSource,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<string> {
  const read = await readSource(engine, source);
  const { image } = read;
  if (!(await hasImage(engine, image))) {
    const base = source.base ?? (await ensureBaseImage(engine, onProgress, signal));
    onProgress({ phase: 'image', text: `building ${image} on ${base}` });
    try {
      await build(engine, { ...read, base }, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw new FleetError(
        `The image ${image} cannot be built: ${engineMessage(error)}. No node was started. ` +
          'Correct the cause, or use "--processes" to go without Docker.',
        69,
        { cause: error },
      );
    }
  }
  onProgress({ phase: 'image', text: image, done: true });
  return image;
}

interface Build {
  image: string;
  base: string;
  program: Program;
  dockerfile: string;
}

async function build(engine: Engine, { image, base, program, dockerfile }: Build, signal?: AbortSignal): Promise<void> {
  const pack = tar.pack();
  pack.entry({ name: 'Dockerfile' }, dockerfile);
  pack.entry({ name: 'dist/build.json', mode: 0o644 }, JSON.stringify({ hash: program.hash }));
  for (const file of program.files) {
    pack.entry({ name: `dist/${file}`, mode: 0o644 }, await readFile(join(program.directory, file)));
  }
  pack.finalize();
  const stream = await engine.buildImage(pack as unknown as NodeJS.ReadableStream, {
    t: image,
    buildargs: { BASE_IMAGE: base },
    forcerm: true,
    ...(signal === undefined ? {} : { abortSignal: signal }),
  });
  await readProgress(engine, stream);
}
