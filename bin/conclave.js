#!/usr/bin/env node
// Starts the command line on a Node that is new enough: the one that the package brings along when this one is not.
// Plain JavaScript that an old Node can read too.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const nodeMajorMin = 22;
const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));
// Beside the package where it is a dependency of another.
const ownNodes = [join(root, 'node_modules', '.bin', 'node'), join(dirname(root), '.bin', 'node')];
const ownNode = ownNodes.find((path) => existsSync(path)) ?? ownNodes[0];
const cli = join(root, 'dist', 'cli.mjs');

const majorOf = (version) => Number(String(version).replace(/^v/, '').split('.')[0]);

function refuse() {
  console.error(
    `conclave needs Node ${nodeMajorMin} or newer, this is ${process.version}. Nothing was done. Run "npm ci" in ${root}.`,
  );
  process.exit(1);
}

function isOwnNodeNewEnough() {
  if (!existsSync(ownNode)) return false;
  const { stdout } = spawnSync(ownNode, ['--version'], { encoding: 'utf8' });
  return majorOf(stdout) >= nodeMajorMin;
}

function startOnOwnNode() {
  const child = spawn(ownNode, [self, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both processes; passing it on as well would make two of one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', refuse);
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

async function run() {
  if (!existsSync(cli)) {
    console.error('conclave is not built yet: building it, once.');
    const { buildAll } = await import(pathToFileURL(join(root, 'scripts', 'build.js')).href);
    await buildAll();
  }
  await import(pathToFileURL(cli).href);
}

if (majorOf(process.version) >= nodeMajorMin) await run();
else if (isOwnNodeNewEnough()) startOnOwnNode();
else refuse();
