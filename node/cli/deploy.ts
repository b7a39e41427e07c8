import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { FleetError } from '../../docker/fleet.ts';

export interface Module {
  type: string;
  /** The module's text; none when the argument only names a type. */
  source: string | undefined;
}

const files = ['agent.ts', 'agent.js', 'agent.mjs'];
const typePattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const sourceBytesMax = 256 * 1024;

/**
 * What `deploy` is to deploy: a folder's agent, bundled into one module, or a type that the cluster has. Throws
 * `FleetError` for a folder without an agent, or one whose code cannot be bundled.
 */
export async function readModule(argument: string): Promise<Module> {
  const isFolder = existsSync(argument) && statSync(argument).isDirectory();
  if (!isFolder) {
    if (typePattern.test(argument)) return { type: argument, source: undefined };
    throw new FleetError(`There is no folder ${argument}. Nothing was changed. Give a folder with an agent.ts in it.`);
  }
  const file = files.map((name) => join(argument, name)).find((path) => existsSync(path));
  if (file === undefined) {
    throw new FleetError(`${argument} has no ${files.join(', ')}. Nothing was changed. Put the agent's code there.`);
  }
  const type = basename(resolve(argument));
  if (!typePattern.test(type)) {
    throw new FleetError(`"${type}" cannot name an agent type. Nothing was changed. Rename the folder.`);
  }
  const source = await bundle(file);
  if (Buffer.byteLength(source) > sourceBytesMax) {
    throw new FleetError(`The code of ${type} is larger than ${sourceBytesMax} bytes. Nothing was changed.`);
  }
  return { type, source };
}

async function bundle(file: string): Promise<string> {
  const { build } = await import('esbuild');
  try {
    const options = { entryPoints: [file], bundle: true, write: false, minify: true } as const;
    const result = await build({ ...options, format: 'esm', platform: 'node', target: 'node22', logLevel: 'silent' });
    return result.outputFiles[0]?.text ?? '';
  } catch (error) {
    throw new FleetError(`${file} cannot be bundled: ${(error as Error).message}. Nothing was changed.`);
  }
}
