// Builds dist/: the node program, the command line, the agents' thread, what authors of agents import, the script of the
// report page, and the agent types of examples/.
// What it makes runs without node_modules; only the command line needs esbuild, for a user's own agents.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { declarations } from './types.js';
import { generateWire } from './wire.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const note = join(dist, 'build.json');
const require = createRequire(import.meta.url);

/** LevelDB's native part stands beside the bundle: a container has no node_modules. */
const nativeLevel = {
  name: 'native-level',
  setup({ onLoad }) {
    onLoad({ filter: /classic-level[\\/]binding\.js$/ }, () => ({
      contents: "module.exports = require(require('node:path').join(__dirname, 'classic-level.node'))",
      loader: 'js',
    }));
  },
};

/** Optional native parts of the SSH that dockerode could use: never loaded here. */
const noNativeSsh = {
  name: 'no-native-ssh',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.node$|^cpu-features$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: "throw new Error('not built in')" }));
  },
};

/** What CommonJS dependencies expect to find inside an ES module. */
const commonJs = [
  "import { createRequire as $createRequire } from 'node:module';",
  "import { dirname as $dirname } from 'node:path';",
  "import { fileURLToPath as $fileURLToPath } from 'node:url';",
  'const require = $createRequire(import.meta.url);',
  'const __filename = $fileURLToPath(import.meta.url);',
  'const __dirname = $dirname(__filename);',
].join('\n');

const shared = {
  bundle: true,
  write: false,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  logLevel: 'error',
  legalComments: 'none',
  absWorkingDir: root,
};

/** Every bundle whose source exists: a part that is not written yet does not stop the others. */
function bundles() {
  const program = { ...shared, banner: { js: commonJs } };
  const agents = readdirSync(join(root, 'examples')).map((name) => ({
    ...shared,
    entryPoints: [`examples/${name}/agent.ts`],
    outfile: `dist/agents/${name}.mjs`,
  }));
  return [
    {
      ...program,
      entryPoints: ['node/main.ts'],
      outfile: 'dist/node.mjs',
      plugins: [nativeLevel],
      // A node keeps its source in memory: less of it, but names stay for stack traces.
      minifyWhitespace: true,
      minifySyntax: true,
    },
    {
      ...program,
      entryPoints: ['node/cli/main.ts'],
      outfile: 'dist/cli.mjs',
      external: ['esbuild'],
      plugins: [noNativeSsh],
    },
    { ...shared, entryPoints: ['node/runtime/worker.ts'], outfile: 'dist/worker.mjs' },
    { ...shared, entryPoints: ['node/runtime/agents-program.ts'], outfile: 'dist/agents-program.mjs' },
    { ...shared, entryPoints: ['node/runtime/agent.ts'], outfile: 'dist/agent.mjs' },
    { ...shared, entryPoints: ['node/runtime/tested-agent.ts'], outfile: 'dist/testing.mjs' },
    { ...program, entryPoints: ['sim/main.ts'], outfile: 'dist/sim.mjs' },
    { ...program, entryPoints: ['node/recover/main.ts'], outfile: 'dist/recover.mjs', plugins: [nativeLevel] },
    {
      ...shared,
      platform: 'browser',
      format: 'iife',
      target: 'es2022',
      entryPoints: ['sim/report/viewer.ts'],
      outfile: 'dist/report-viewer.js',
      minify: true,
    },
    ...agents,
  ].filter(({ entryPoints: [source] }) => existsSync(join(root, source)));
}

function readNativeLevel() {
  const prebuilds = join(dirname(require.resolve('classic-level/package.json')), 'prebuilds');
  const { platform, arch } = process;
  const folder = readdirSync(prebuilds).find((name) => {
    const [system, archs = ''] = name.split('-');
    return system === platform && archs.split('+').includes(arch);
  });
  if (folder === undefined) {
    throw new Error(`classic-level has no binary for ${platform}-${arch}. Nothing was built. Use a platform it has.`);
  }
  const isMusl = platform === 'linux' && process.report.getReport().header.glibcVersionRuntime === undefined;
  const files = readdirSync(join(prebuilds, folder));
  const file = files.find((name) => name.includes('musl') === isMusl) ?? files[0];
  return readFileSync(join(prebuilds, folder, file));
}

/** What only the command line needs: no part of an image. */
const notForNodes = new Set(['cli.mjs', 'agent.mjs', 'testing.mjs', 'sim.mjs', 'recover.mjs', 'report-viewer.js']);

/** Name and bytes of everything that a node runs. */
function hashOf(files) {
  const hash = createHash('sha256');
  for (const [name, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!notForNodes.has(name)) hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

/** Each file is put in place whole: a program that starts from dist/ meanwhile finds the old one or the new one. */
function writeDist(files) {
  for (const [name, bytes] of files) {
    const file = join(dist, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, bytes);
    renameSync(`${file}.${process.pid}`, file);
  }
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    const ofAnotherBuild = /\.\d+$/.test(entry.name) && age < 60_000;
    if (entry.isFile() && !files.has(relative(dist, file)) && !ofAnotherBuild) rmSync(file, { force: true });
  }
}

/** Builds everything and writes dist/build.json last. Throws when a source does not compile; dist/ is unchanged then. */
export async function buildAll() {
  await generateWire();
  const [types, ...made] = await Promise.all([declarations(), ...bundles().map((options) => build(options))]);
  const files = new Map();
  for (const { outputFiles } of made) {
    for (const { path, contents } of outputFiles) files.set(relative(dist, path), contents);
  }
  files.set('classic-level.node', readNativeLevel());
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // After what the hash is of: no node runs them.
  const hash = hashOf(files);
  for (const [path, text] of types) files.set(join('types', path), Buffer.from(text));
  files.set('build.json', Buffer.from(`${JSON.stringify({ version, hash })}\n`));
  writeDist(files);
}

/** Whether dist/ is older than what it is built from. A folder's own time tells of files that came or went. */
export function isStale() {
  const builtAtMs = statSync(note, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.types.json', 'scripts'];
  for (const room of ['consensus', 'strategies', 'node', 'docker', 'examples', 'sim', 'scripts']) {
    sources.push(room, ...readdirSync(join(root, room), { recursive: true }).map((name) => join(room, name)));
  }
  return sources.some((name) => (statSync(join(root, name), { throwIfNoEntry: false })?.mtimeMs ?? 0) > builtAtMs);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildAll();
