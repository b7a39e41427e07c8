import { existsSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { PluginBuild } from 'esbuild';
import { UsageError } from './command-error.ts';
import { packPython, pythonFile } from './python-pack.ts';

export interface Module {
  type: string;
  /** The module's text; none when the argument only names a type. */
  source: string | undefined;
  /** Of a type that runs as a process. */
  interpreter?: string;
  /** Of a type that runs as containers, as its manifest has it: the cluster checks it. */
  container?: unknown;
}

/** An ES module, as nodes take it, or a script that leaves the same exports in a global, as the simulator does. */
export type Format = 'esm' | 'iife';

const manifestFile = 'agent.json';
const files = [manifestFile, 'agent.ts', 'agent.js', 'agent.mjs', pythonFile];
const typePattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
/** As much as a node takes. */
const sourceBytesMax = 256 * 1024;
const target = 'node22';
/** Where the simulator looks for the exports: `agentGlobalName` of its `agent-module.ts`. */
const globalName = 'conclaveAgent';

/**
 * What `deploy` is to deploy: a folder's agent, bundled into one module, or a type that the cluster has. As a script it
 * is for the simulator. Throws `UsageError` for a folder without an agent, or one whose code cannot be bundled.
 */
export async function readModule(argument: string, format: Format = 'esm'): Promise<Module> {
  const isFolder = existsSync(argument) && statSync(argument).isDirectory();
  if (!isFolder) {
    if (typePattern.test(argument)) return { type: argument, source: undefined };
    throw new UsageError(`There is no folder ${argument}. Nothing was changed. Give a folder with an agent.ts in it.`);
  }
  const file = files.map((name) => join(argument, name)).find((path) => existsSync(path));
  if (file === undefined) {
    throw new UsageError(`${argument} has no ${files.join(', ')}. Nothing was changed. Put the agent's code there.`);
  }
  const type = basename(resolve(argument));
  if (!typePattern.test(type)) {
    throw new UsageError(`"${type}" cannot name an agent type. Nothing was changed. Rename the folder.`);
  }
  const isManifest = basename(file) === manifestFile;
  const isPython = basename(file) === pythonFile;
  if ((isPython || isManifest) && format === 'iife') {
    throw new UsageError(`${file} cannot run in the simulator: it takes JavaScript and TypeScript. Nothing was run.`);
  }
  if (isManifest) return { type, source: undefined, container: await readManifest(file) };
  const source = isPython ? await packPython(argument) : await bundle(file);
  if (Buffer.byteLength(source) > sourceBytesMax) {
    throw new UsageError(`The code of ${type} is larger than ${sourceBytesMax} bytes. Nothing was changed.`);
  }
  if (isPython) return { type, source, interpreter: 'python3' };
  return { type, source: format === 'esm' ? source : await asScript(source, file) };
}

/** What a manifest says of its container. Throws `UsageError` when it is no manifest. */
async function readManifest(file: string): Promise<unknown> {
  const wrong = (problem: string): UsageError =>
    new UsageError(`${file} ${problem}. Nothing was changed. Write {"container": {"image": "…"}} into it.`);
  if ((await stat(file)).size > sourceBytesMax) throw wrong(`is larger than ${sourceBytesMax} bytes`);
  let manifest: unknown;
  try {
    manifest = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw wrong(`is not JSON (${(error as Error).message})`);
  }
  const isObject = typeof manifest === 'object' && manifest !== null && !Array.isArray(manifest);
  const { container, ...others } = (isObject ? manifest : {}) as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) throw wrong(`has "${other}", which no manifest has`);
  if (container === undefined) throw wrong('has no "container"');
  return container;
}

/** The typing helper of the package, for folders that are outside of it. */
const agentHelper = {
  name: 'conclave-agent',
  setup({ onResolve, onLoad }: PluginBuild): void {
    onResolve({ filter: /^conclave\/agent$/ }, ({ path }) => ({ path, namespace: 'conclave' }));
    onLoad({ filter: /.*/, namespace: 'conclave' }, () => ({
      contents: 'export const defineAgent = (module) => module;',
    }));
  },
};

/** Bundles a file and what it imports into one ES module. Throws `UsageError` when that cannot be done. */
export async function bundle(file: string): Promise<string> {
  // Loaded when needed: it is large, and the one dependency that the built command line does not contain.
  const { build } = await import('esbuild');
  try {
    const { outputFiles } = await build({
      entryPoints: [file],
      bundle: true,
      write: false,
      minify: true,
      format: 'esm',
      platform: 'node',
      target,
      logLevel: 'silent',
      plugins: [agentHelper],
    });
    return outputFiles[0]?.text ?? '';
  } catch (error) {
    throw new UsageError(`${file} cannot be bundled: ${(error as Error).message}. Nothing was changed.`);
  }
}

/** The module that would be deployed as a script, and not the file anew: so both have the same exports. */
async function asScript(source: string, file: string): Promise<string> {
  const { transform } = await import('esbuild');
  // With `import()` left in it, what there is to say would be said by the engine, in its own words.
  const supported = { 'dynamic-import': false };
  try {
    const { code } = await transform(source, {
      format: 'iife',
      globalName,
      minify: true,
      target,
      supported,
      platform: 'node',
      logLevel: 'silent',
    });
    return code;
  } catch (error) {
    throw new UsageError(`${file} cannot be bundled as a script: ${(error as Error).message}. Nothing was changed.`);
  }
}
