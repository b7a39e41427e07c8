import { execFileSync, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import tar from 'tar-stream';
import { type Engine, readProgress } from '../docker/engine.ts';

/** Python 3 of this machine: its program, and what it needs to run. */
export interface Python {
  program: string;
  files: string[];
}

/** Undefined where there is none. `program` is not a shim, and lies beside what it runs. */
export function findPython(): Python | undefined {
  try {
    const ask = `import os, sys, sysconfig; print(os.path.realpath(sys.executable)); print(sysconfig.get_path('stdlib'))`;
    const [real = '', library = ''] = execFileSync('python3', ['-c', ask], { encoding: 'utf8' }).trim().split('\n');
    const modules = readdirSync(join(library, 'lib-dynload')).map((name) => join(library, 'lib-dynload', name));
    const listed = execFileSync('ldd', [real, ...modules], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
    const libraries = [...listed.matchAll(/(?:=>\s+)?(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
    const program = join(dirname(real), 'python3');
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return { program, files: [program, library, ...new Set(libraries)] };
  } catch {
    return undefined;
  }
}

/** Makes an image with Python and nothing else. */
export async function importPython(docker: Engine, { program, files }: Python, image: string): Promise<void> {
  const without = ['test', 'site-packages', 'dist-packages', '__pycache__', 'ensurepip', 'idlelib', 'config-*', '*.a'];
  const excluded = without.map((name) => `--exclude=${name}`);
  const packed = spawn('tar', ['-ch', ...excluded, ...files.map((file) => file.slice(1))], { cwd: '/' });
  packed.stderr.resume();
  const [repo, tag] = image.split(':');
  const changes = [`ENV PATH=${dirname(program)}`];
  await readProgress(docker, await docker.importImage(packed.stdout, { repo, tag, changes }));
}

/** Builds an image from a Dockerfile and files beside it. */
export async function buildImage(
  docker: Engine,
  image: string,
  dockerfile: string,
  { files = {}, base }: { files?: Record<string, Buffer | string>; base?: string } = {},
): Promise<void> {
  const pack = tar.pack();
  pack.entry({ name: 'Dockerfile' }, dockerfile);
  for (const [name, text] of Object.entries(files)) pack.entry({ name, mode: 0o644 }, text);
  pack.finalize();
  const options = { t: image, forcerm: true, ...(base !== undefined && { buildargs: { BASE_IMAGE: base } }) };
  await readProgress(docker, await docker.buildImage(pack as unknown as Readable, options));
}
