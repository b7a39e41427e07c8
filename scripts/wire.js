// Generates node/core/wire/messages.ts from messages.proto.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate } from 'protons';

const proto = join(dirname(fileURLToPath(import.meta.url)), '../node/core/wire/messages.proto');

export async function generateWire() {
  await generate(proto, { strict: true });
  const generated = proto.replace(/\.proto$/, '.ts');
  // The generator's code does not know exactOptionalPropertyTypes; its types are used all the same.
  const head = '// Generated from messages.proto: do not edit.\n// @ts-nocheck\n';
  const code = readFileSync(generated, 'utf8').replaceAll('Uint8Array<ArrayBuffer>', 'Uint8Array');
  writeFileSync(generated, head + code);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await generateWire();
