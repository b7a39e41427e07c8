import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorCodes, statusOf } from '../node/core/errors.ts';

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

/** Rows of the page's table: | `code` | status | meaning | */
const rows = [...page.matchAll(/^\| `(\w+)` \| (\d{3}|—) \| (.+) \|$/gm)].map(([, code, status, meaning]) => ({
  code,
  status: status === '—' ? 0 : Number(status),
  meaning: meaning?.trim() ?? '',
}));

it('lists every error with its HTTP status, in the order of the table in node/core/errors.ts', () => {
  const listed = rows.map(({ code, status }) => `${code} ${status}`);
  expect(listed).toEqual(errorCodes.map((code) => `${code} ${statusOf(code)}`));
});

it('says of every error what it means', () => {
  expect(rows.filter(({ meaning }) => meaning.length < 10)).toEqual([]);
});

it('has no error that nothing raises', () => {
  const root = new URL('..', import.meta.url);
  const sources = globSync('node/**/*.ts', { cwd: root }).map((file) => readFileSync(new URL(file, root), 'utf8'));
  const raised = new Set(
    sources.flatMap((text) => [...text.matchAll(/\berrors\s*\.(\w+)\(/g)].map(([, code]) => code)),
  );
  expect(errorCodes.filter((code) => !raised.has(code))).toEqual([]);
});
