// The lint steps, each with the time that it took: format, rules, types, and who may import whom.
import { spawn } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateWire } from './wire.js';

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));
const tools = join(root, 'node_modules', '.bin');

const rooms = ['consensus', 'strategies', 'node', 'sim', 'docker', 'examples', 'bench', 'test'];

export const lintSteps = [
  { name: 'format', command: ['biome', 'format', '.'] },
  { name: 'rules', command: ['oxlint', '--deny-warnings'] },
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'imports', command: ['depcruise', '--config', '.dependency-cruiser.cjs', ...rooms] },
];

/** Runs a step and prints its name and time, and what the tool said when it found something. */
async function runStep({ name, command: [tool, ...args] }) {
  const startMs = performance.now();
  const env = { ...process.env, PATH: `${tools}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(join(tools, tool), args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk));
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? '  ok  ' : 'FAILED'} lint: ${name} (${seconds} s)`);
  if (code !== 0) process.stdout.write(Buffer.concat(said));
  return code === 0;
}

/** Runs every step, also after one that failed, and counts them. */
export async function lint() {
  await generateWire();
  const counts = { passed: 0, failed: 0 };
  for (const step of lintSteps) counts[(await runStep(step)) ? 'passed' : 'failed'] += 1;
  return counts;
}

if (process.argv[1] === self) {
  const { failed } = await lint();
  process.exitCode = failed === 0 ? 0 : 1;
}
