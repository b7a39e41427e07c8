import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as rules from './tidy-rules.ts';

const root = join(import.meta.dirname, '..');
const foreign = new Set(['node_modules', 'dist', 'coverage', '.git', '.conclave']);
const generated = 'node/core/wire/messages.ts';

/** Every file of the project as [path, text], as far as it is text. */
function readTree(folder = root): [string, string][] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): [string, string][] => {
    const path = join(folder, entry.name);
    if (foreign.has(entry.name) || entry.isSymbolicLink() || entry.name.startsWith('.generated-')) return [];
    if (entry.isDirectory()) return readTree(path);
    const bytes = readFileSync(path);
    return bytes.includes(0) || entry.name.endsWith('.log') ? [] : [[relative(root, path), bytes.toString('utf8')]];
  });
}

const tree = readTree().filter(([file]) => file !== generated);
const product = tree.filter(([file]) => /^(consensus|strategies|node|sim|docker)\/.*\.ts$/.test(file));
const pure = product.filter(([file]) => /^(consensus|strategies|node\/core)\//.test(file));
const insideNode = product.filter(([file]) => /^node\/(?!cli\/|main\.ts$)/.test(file));

type Files = readonly (readonly [string, string])[];
type Rule = (file: string, text: string) => string[];

interface Check {
  rule: Rule;
  files: Files;
  /** Text or file names that the rule must object to, and such that it must leave alone. */
  wrong: readonly string[];
  right: readonly string[];
}

const longFunction = (lines: number): string => `const f = () => {\n${'  g();\n'.repeat(lines - 2)}};\n`;
const slash = '/';

const checks: Record<string, Check> = {
  'no file of the product is longer than 400 lines': {
    rule: rules.fileLength,
    files: product,
    wrong: ['x;\n'.repeat(401)],
    right: ['x;\n'.repeat(400)],
  },
  'no function of the product is longer than 70 lines': {
    rule: rules.functionLength,
    files: product,
    wrong: [longFunction(71), `class A {\n  m() {\n${'    g();\n'.repeat(69)}  }\n}\n`],
    right: [longFunction(70), `class A {\n${'  m() {}\n'.repeat(90)}}\n`],
  },
  'the core and its leaves read no clock, no chance and no outside, and wait for nothing': {
    rule: rules.purity,
    files: pure,
    wrong: [
      'const at = Date.now();',
      'let at: Date;',
      'performance.now();',
      'const r = Math.random();',
      'setTimeout(f, 1);',
      'setInterval(f, 1);',
      'setImmediate(f);',
      'queueMicrotask(f);',
      'process.exit();',
      'console.log(1);',
      'crypto.randomUUID();',
      "fetch('x');",
      'globalThis.x;',
      'async function f() {}',
      'class A { async m() {} }',
      'await f();',
      'for await (const x of y) f(x);',
      "import('./x.ts');",
      "import { join } from 'node:path';",
      "export * from 'node:fs';",
    ],
    right: [
      'const at = event.Date;',
      'interface E { process: string; fetch(): void }',
      'const o = { console: 1 };',
      'const { process: p } = o;',
      "import { x } from './process.ts';",
      'Math.max(1, 2);',
    ],
  },
  'nothing is cast to any': {
    rule: rules.noAny,
    files: product,
    wrong: ['const x = y as any;', 'f((y as any).z);'],
    right: ['const x = y as unknown;', "const text = 'as any';"],
  },
  'only node/main.ts reads the environment of a node': {
    rule: rules.noEnvironment,
    files: insideNode,
    wrong: ["process.env['A'];", 'f(process.env);'],
    right: ['environment.name;', '// process.env is not read here'],
  },
  'no file is a grab bag': {
    rule: (file) => rules.noGrabBag(file, ''),
    files: tree,
    wrong: ['node/utils.ts', 'node/core/helpers/x.ts', 'sim/misc.ts', 'util.ts'],
    right: ['node/core/outbox.ts', 'docs/utilisation.md'],
  },
  'nothing is postponed in a comment': {
    rule: rules.nothingPostponed,
    files: product,
    wrong: [`// TO${'DO'}: later`, `/* FIX${'ME'} */`],
    right: ['const todos = 1;'],
  },
  'no file names a path of one machine': {
    rule: rules.noMachinePath,
    files: tree,
    wrong: [`cd ${slash}work/main`, `"${slash}root/.npmrc"`, `${slash}home/jo/x`],
    right: ['./srv/app/x', 'node/root/x', 'https://example.org/root/x', '/opt/conclave/node.mjs'],
  },
  'no file names a package registry': {
    rule: rules.noRegistryAddress,
    files: tree,
    wrong: [`"resolved": "https:${slash}/registry.example.org/a.tgz"`, `http:${slash}/npm-mirror.local:8080/`],
    right: ['https://github.com/npm/cli', 'registry'],
  },
};

describe('the tree is tidy', () => {
  it('has files for every check', () => {
    for (const [name, { files }] of Object.entries(checks)) expect(files.length, name).toBeGreaterThan(20);
    expect(tree.map(([file]) => file)).toEqual(expect.arrayContaining(['package-lock.json', '.npmrc']));
  });

  it.each(Object.entries(checks))('%s', (_name, { rule, files }) => {
    expect(files.flatMap(([file, text]) => rule(file, text))).toEqual([]);
  });
});

describe('a check finds what it looks for, and nothing else', () => {
  it.each(Object.entries(checks))('%s', (_name, { rule, wrong, right }) => {
    const findings = (sample: string): string[] => rule(sample, sample);
    for (const sample of wrong) expect(findings(sample), sample).not.toEqual([]);
    for (const sample of right) expect(findings(sample), sample).toEqual([]);
  });
});
