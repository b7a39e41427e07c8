import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeToken } from './api/fake-node.ts';
import { serve } from './cli/run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const packedBytesMax = 4 * 1024 * 1024;
const slowMs = 120_000;

const agent = `import { type AgentModule, defineAgent } from 'conclave/agent';

interface State { total: number }

const counter: AgentModule<State, { add: number }, number> = defineAgent({
  init: (): State => ({ total: 0 }),
  handle(state, task: { add: number }, { epoch, taskId, signal }) {
    signal.throwIfAborted();
    if (!Number.isFinite(task.add)) throw new TypeError(\`task \${taskId} of epoch \${epoch.toFixed()} adds no number\`);
    state.total += task.add;
    return { state, result: state.total };
  },
});

// @ts-expect-error: a total is a number
export const wrong = defineAgent<State, { add: number }, number>({ init: () => ({ total: '0' }), handle: counter.handle });

export default counter;
`;

const agentTest = `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TaskRefused, testAgent } from 'conclave/testing';
import counter from './agent.ts';

test('counts, also after a crash', async () => {
  const agent = await testAgent(counter);
  assert.equal((await agent.task({ add: 2 })).result.toFixed(), '2');
  await agent.recover();
  assert.equal((await agent.state()).total, 2);
  await assert.rejects(agent.task({ add: Number.NaN }), TaskRefused);
});

// @ts-expect-error: a task has a number
export const wrong = async () => (await testAgent(counter)).task({ add: 'two' });
`;

const tsconfig = {
  compilerOptions: {
    ...{ target: 'es2024', module: 'nodenext', strict: true, noEmit: true, types: ['node'], skipLibCheck: false },
    ...{ allowImportingTsExtensions: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  },
  include: ['counter'],
};

describe('the packed package, in a project elsewhere', () => {
  let directory: string;
  let project: string;
  let files: string[];
  let packedBytes: number;

  const run = async (command: string, args: string[], cwd = project): Promise<string> => {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const ran = promisify(execFile)(command, args, { cwd, env, timeout: slowMs });
    const { stdout } = await ran.catch(({ stdout, stderr, message }) => {
      throw new Error(`${message}\n${stdout}\n${stderr}`);
    });
    return stdout;
  };

  beforeAll(async () => {
    const { buildAll, isStale } = await import(new URL('../scripts/build.js', import.meta.url).href);
    if (isStale()) await buildAll();
    directory = await mkdtemp(join(tmpdir(), 'packed-'));
    project = join(directory, 'project');
    const modules = join(project, 'node_modules');
    await mkdir(join(modules, 'conclave'), { recursive: true });
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], root);
    const packed = join(directory, 'conclave-0.1.0.tgz');
    packedBytes = (await stat(packed)).size;
    files = (await run('tar', ['-tzf', packed])).trim().split('\n');
    await run('tar', ['-xzf', packed, '--strip-components=1', '-C', join(modules, 'conclave')]);
    // Without a registry: what a project has of its own, and what the command line bundles agents with.
    for (const name of ['@types', 'undici-types', 'esbuild', '@esbuild'])
      await symlink(join(root, 'node_modules', name), join(modules, name));
    await mkdir(join(project, 'counter'));
    await writeFile(join(project, 'package.json'), '{ "type": "module" }');
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify(tsconfig));
    await writeFile(join(project, 'counter', 'agent.ts'), agent);
    await writeFile(join(project, 'counter', 'agent.test.ts'), agentTest);
  }, slowMs);

  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('has what it needs to run and to be imported, and no sources', () => {
    const rooms = new Set(files.map((file) => file.split('/').slice(1, 2).join()));
    expect([...rooms].sort()).toEqual(['README.md', 'bin', 'dist', 'docker', 'package.json']);
    expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    expect(packedBytes).toBeLessThan(packedBytesMax);
  });

  test('has types that a strict project checks its agent and its test with', { timeout: slowMs }, async () => {
    await run(process.execPath, [join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc'), '-p', '.']);
  });

  test('runs the test of the agent', { timeout: slowMs }, async () => {
    const said = await run(process.execPath, ['--test', '--test-reporter=tap', 'counter/agent.test.ts']);
    expect(said).toMatch(/# pass 1\n/);
  });

  test('deploys the agent', { timeout: slowMs }, async () => {
    const { node, server, url } = await serve();
    try {
      const command = join('node_modules', 'conclave', 'bin', 'conclave.js');
      const to = ['--admin', url, '--token', await makeToken()];
      await run(process.execPath, [command, 'deploy', 'counter', '--json', ...to]);
      const asked = node.asked.find(({ type }) => type === 'deploy');
      const source = asked?.type === 'deploy' ? (asked.source ?? '') : '';
      const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
      expect(module.default.init()).toEqual({ total: 0 });
    } finally {
      await server.close();
    }
  });
});
