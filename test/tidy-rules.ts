import ts from 'typescript';

/** A finding: where it is, and what is wrong there. */
export type Finding = string;
type Rule = (file: string, text: string) => Finding[];

export const fileLinesMax = 400;
export const functionLinesMax = 70;

/** Names that bring time, chance, waiting or the outside world into code that is told everything by events. */
const impureNames = new Set(
  ['Date', 'performance', 'process', 'console', 'crypto', 'fetch', 'globalThis', 'queueMicrotask'].concat([
    'setTimeout',
    'setInterval',
    'setImmediate',
  ]),
);

const parse = (file: string, text: string): ts.SourceFile =>
  ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);

const lineOf = (source: ts.SourceFile, node: ts.Node): number =>
  source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;

/** What `judge` says of any node of the file, with its place. */
function judgeNodes(file: string, text: string, judge: (node: ts.Node, source: ts.SourceFile) => string | undefined) {
  const source = parse(file, text);
  const findings: Finding[] = [];
  const visit = (node: ts.Node): void => {
    const wrong = judge(node, source);
    if (wrong !== undefined) findings.push(`${file}:${lineOf(source, node)} ${wrong}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}

export const fileLength: Rule = (file, text) => {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return lines > fileLinesMax ? [`${file} has ${lines} lines, at most ${fileLinesMax}: is it really one noun?`] : [];
};

export const functionLength: Rule = (file, text) =>
  judgeNodes(file, text, (node, source) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return undefined;
    const lines = source.getLineAndCharacterOfPosition(node.end).line + 2 - lineOf(source, node);
    return lines > functionLinesMax ? `a function of ${lines} lines, at most ${functionLinesMax}` : undefined;
  });

/** Whether an identifier stands for a value or type in scope, and is not the name of somebody's member. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) return parent.getChildAt(0) === node;
  const isMember =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isAccessor(parent);
  return !(isMember && parent.name === node) && !(ts.isBindingElement(parent) && parent.propertyName === node);
}

function impurity(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node) && impureNames.has(node.text) && isReference(node)) return `uses ${node.text}`;
  if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') return 'uses Math.random';
  if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier !== undefined)) return 'awaits';
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return 'is async';
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return 'imports at run time';
  const from = ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier : undefined;
  if (from !== undefined && ts.isStringLiteral(from) && from.text.startsWith('node:')) return `imports ${from.text}`;
  return undefined;
}

/** consensus/, strategies/ and node/core/: nothing waits, and nothing comes from outside but events. */
export const purity: Rule = (file, text) => judgeNodes(file, text, impurity);

export const noAny: Rule = (file, text) =>
  judgeNodes(file, text, (node) =>
    ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword ? 'casts to any' : undefined,
  );

/** Only node/main.ts reads the environment of a node. */
export const noEnvironment: Rule = (file, text) =>
  judgeNodes(file, text, (node) =>
    ts.isPropertyAccessExpression(node) && node.getText() === 'process.env' ? 'reads process.env' : undefined,
  );

export const noGrabBag: Rule = (file) =>
  /(^|\/)(utils?|helpers?|misc)(\.|\/)/i.test(file) ? [`${file} says nothing about what is in it`] : [];

/** What matches `pattern` in any line, with its place. */
const judgeLines =
  (pattern: RegExp, wrong: string): Rule =>
  (file, text) =>
    text.split('\n').flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1} ${wrong}`] : []));

export const nothingPostponed = judgeLines(/\b(TO)(DO)\b|\b(FIX)(ME)\b/, 'postpones something');

/** A path that exists on one machine only: a home or a work folder at the root. */
export const noMachinePath = judgeLines(/(?<![\w.*$}-])\/(work|root|home\/\w+)\//, 'names a path of one machine');

export const noRegistryAddress = judgeLines(
  /https?:\/\/[\w.-]*(registry|npmjs|mirror|proxy)[\w.-]*[/:]/,
  'names a registry',
);
