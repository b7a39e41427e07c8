// Generates node/core/wire/messages.ts from messages.proto, when it is older than what it is made from.
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const wire = join(dirname(dirname(self)), 'node', 'core', 'wire');
const proto = join(wire, 'messages.proto');
const generated = join(wire, 'messages.ts');

const changedAtMs = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

export async function generateWire() {
  if (changedAtMs(generated) > Math.max(changedAtMs(proto), changedAtMs(self))) return;
  // Beside its place and moved there whole, so that nobody reads half a file. protons takes a while to load, too.
  const { generate } = await import('protons');
  const output = mkdtempSync(join(wire, '.generated-'));
  try {
    await generate(proto, { strict: true, output });
    const made = join(output, 'messages.ts');
    // The generator's code does not know exactOptionalPropertyTypes; its types are used all the same.
    const head = '// Generated from messages.proto: do not edit.\n// @ts-nocheck\n';
    writeFileSync(made, head + readFileSync(made, 'utf8').replaceAll('Uint8Array<ArrayBuffer>', 'Uint8Array'));
    renameSync(made, generated);
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}

if (process.argv[1] === self) await generateWire();
