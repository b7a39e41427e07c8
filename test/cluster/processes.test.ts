import { describe, test } from 'vitest';
import { dockerAvailable } from '../docker-engine.ts';
import { stormSeed, weather } from './storm.ts';
import { Testbed } from './testbed.ts';

/** Processes share one loopback, on which nothing can be cut off: standing still is the silence that they can have. */
const kinds = ['SIGKILL', 'pause', 'migrate', 'drain'];

/** Where there is a Docker engine, the storm there has all of this and more. */
describe.skipIf(await dockerAvailable())('five processes, where there is no Docker engine', () => {
  test('lose and double nothing while nodes are killed and fall silent', { timeout: 400_000 }, async () => {
    await Testbed.with('processes', (testbed) =>
      weather(testbed, {
        ...{ seed: stormSeed, seconds: 42, kinds, perSecond: 60, workers: 20 },
        gateway: async () => '127.0.0.1',
      }),
    );
  });
});
