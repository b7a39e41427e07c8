// Builds dist/: the node program, the command line, the agents' thread, and the agent types of examples/.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { generateWire } from './wire.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
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
  platform: 'node',
  format: 'esm',
  target: 'node22',
  logLevel: 'error',
  sourcemap: false,
  legalComments: 'none',
  absWorkingDir: root,
};

function copyNativeLevel() {
  const prebuilds = join(dirname(require.resolve('classic-level/package.json')), 'prebuilds');
  const { platform, arch } = process;
  const folder = readdirSync(prebuilds).find((name) => {
    const [system, archs = ''] = name.split('-');
    return system === platform && archs.split('+').includes(arch);
  });
  if (folder === undefined) throw new Error(`classic-level has no prebuilt binary for ${platform}-${arch}`);
  const files = readdirSync(join(prebuilds, folder));
  const file = files.find((name) => !name.includes('musl')) ?? files[0];
  copyFileSync(join(prebuilds, folder, file), join(dist, 'classic-level.node'));
}

function writeBuildNote() {
  const hash = createHash('sha256');
  const files = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'cli.mjs')
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  for (const file of files) hash.update(basename(file)).update(readFileSync(file));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(join(dist, 'build.json'), `${JSON.stringify({ version, hash: hash.digest('hex') })}\n`);
}

export async function buildAll() {
  await generateWire();
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(join(dist, 'agents'), { recursive: true });
  const program = { ...shared, banner: { js: commonJs } };
  await Promise.all([
    build({ ...program, entryPoints: ['node/main.ts'], outfile: 'dist/node.mjs', plugins: [nativeLevel] }),
    build({
      ...program,
      entryPoints: ['node/cli/main.ts'],
      outfile: 'dist/cli.mjs',
      external: ['esbuild'],
      plugins: [noNativeSsh],
    }),
    build({ ...shared, entryPoints: ['node/runtime/worker.ts'], outfile: 'dist/worker.mjs' }),
    ...readdirSync(join(root, 'examples'))
      .filter((name) => existsSync(join(root, 'examples', name, 'agent.ts')))
      .map((name) =>
        build({ ...shared, entryPoints: [`examples/${name}/agent.ts`], outfile: `dist/agents/${name}.mjs` }),
      ),
  ]);
  copyNativeLevel();
  writeBuildNote();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildAll();
