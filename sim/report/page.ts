import { createHash } from 'node:crypto';
import type { Recording } from '../recording.ts';
import { markup } from './markup.ts';
import { style } from './style.ts';

/** As text between tags. */
const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** JSON that no HTML parser takes for a tag or the begin of a comment; a JSON parser reads the same as before. */
const embed = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

/** Inside a string or a pattern of a script, `<\/` is what `</` is, but ends no element; the like for comments. */
const embedScript = (script: string): string => script.replace(/<(?=\/script)/gi, '<\\').replaceAll('<!--', '<\\!--');

/** What a content security policy wants to know of an inline script or style: SHA-256 of exactly its text. */
const sourceOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/**
 * A recording as one self-contained HTML page: it loads nothing, and runs no script but `viewer`, the text of
 * dist/report-viewer.js. What was recorded is data in it, never markup.
 */
export function reportPage(recording: Recording, viewer: string): string {
  const script = embedScript(viewer);
  const policy = [
    "default-src 'none'",
    `script-src ${sourceOf(script)}`,
    `style-src ${sourceOf(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const { ok } = recording.verdict;
  const title = `${ok ? 'Every promise held' : 'A promise was broken'}: seed ${recording.seed}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${escapeText(title)}</title>
<style>${style}</style>
</head>
<body>
${markup}<script type="application/json" id="recording">${embed(recording)}</script>
<script>${script}</script>
</body>
</html>
`;
}
