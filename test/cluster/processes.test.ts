import { describe, test } from 'vitest';
import { type Fault, hostOf, leaderOf, weather } from './storm.ts';
import { Testbed } from './testbed.ts';

const paused = (name: string, lastsMs: number, choose: (testbed: Testbed) => Promise<string>): Fault => ({
  name,
  begin: async (testbed) => {
    const node = await choose(testbed);
    await testbed.fleet.pause(node);
    return node;
  },
  lastsMs,
  end: (testbed, node) => testbed.fleet.unpause(node),
});

const killed = (name: string, choose: (testbed: Testbed) => Promise<string>): Fault => ({
  name,
  begin: async (testbed) => {
    const node = await choose(testbed);
    await testbed.fleet.kill(node);
    return node;
  },
});

/** Processes share one loopback, on which nothing can be cut off: standing still is the silence that they can have. */
const faults: Fault[] = [
  killed('SIGKILL of the leader', leaderOf),
  killed('SIGKILL of a host', hostOf),
  paused('silent for 20 s', 20_000, leaderOf),
  paused('paused for 15 s', 15_000, hostOf),
];

describe('five processes', () => {
  test('lose and double nothing while nodes are killed and fall silent', { timeout: 400_000 }, async () => {
    await Testbed.with('processes', (testbed) => weather(testbed, faults));
  });
});
