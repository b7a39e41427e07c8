#!/usr/bin/env node
// Starts the command line on a Node that is new enough: the one that the package brings along when this one is not.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bundled = join(root, 'node_modules', '.bin', 'node');
const cli = join(root, 'dist', 'cli.mjs');
const isNew = Number(process.versions.node.split('.')[0]) >= 22;

if (!isNew && (!existsSync(bundled) || process.env.CONCLAVE_REEXEC === '1')) {
  console.error(`conclave needs Node 22 or newer, this is ${process.version}. Nothing was done. Run "npm ci" first.`);
  process.exit(1);
}
if (!isNew) {
  const env = { ...process.env, CONCLAVE_REEXEC: '1' };
  const child = spawn(bundled, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
} else {
  if (!existsSync(cli)) {
    console.error('conclave is not built yet: building it, once.');
    const { buildAll } = await import(pathToFileURL(join(root, 'scripts', 'build.js')).href);
    await buildAll();
  }
  await import(pathToFileURL(cli).href);
}
