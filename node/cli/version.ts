import { readFileSync } from 'node:fs';

/** The version of the built program; `unbuilt` when it runs from its sources. */
export function readVersion(): string {
  try {
    return (JSON.parse(readFileSync(new URL('./build.json', import.meta.url), 'utf8')) as { version: string }).version;
  } catch {
    return 'unbuilt';
  }
}
