import { describe } from 'vitest';
import { connectEngine } from '../docker/engine.ts';

/** Whether a Docker engine answers on this machine. */
export async function dockerAvailable(): Promise<boolean> {
  return connectEngine().then(
    () => true,
    () => false,
  );
}

const available = await dockerAvailable();

/** A `describe` whose tests need a Docker engine: skipped, by name, where none is in reach. */
export function describeWithDocker(name: string, body: () => void): void {
  describe.skipIf(!available)(`${name} (needs a Docker engine)`, () => {
    body();
  });
}
