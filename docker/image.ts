import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import tar from 'tar-stream';
import { ensureBaseImage, hasImage } from './base-image.ts';
import { type Engine, engineMessage, readProgress } from './engine.ts';
import { FleetError, type OnProgress } from './fleet.ts';
import { type Program, readProgram } from './program.ts';

const repository = 'conclave';

export interface ImageSource {
  /** The built program. */
  distDirectory: string;
  dockerfile: string;
}

/**
 * Makes sure that the engine has the image of this program and returns its tag. The tag is a hash of the program and of
 * the Dockerfile, so an unchanged program is not built again. Throws `FleetError`; no container was touched then.
 */
export async function ensureImage(engine: Engine, source: ImageSource, onProgress: OnProgress): Promise<string> {
  const program = await readProgram(source.distDirectory);
  const dockerfile = await readFile(source.dockerfile, 'utf8');
  const hash = createHash('sha256').update(program.hash).update(dockerfile).digest('hex').slice(0, 12);
  const image = `${repository}:${hash}`;
  if (!(await hasImage(engine, image))) {
    const base = await ensureBaseImage(engine, onProgress);
    onProgress({ phase: 'image', text: `building ${image} on ${base}` });
    try {
      await build(engine, { image, base, program, dockerfile });
    } catch (error) {
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

async function build(engine: Engine, { image, base, program, dockerfile }: Build): Promise<void> {
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
  });
  await readProgress(engine, stream);
}
