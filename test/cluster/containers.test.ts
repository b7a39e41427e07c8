import { test } from 'vitest';
import { describeWithDocker } from '../docker-engine.ts';
import { type Fault, hostOf, leaderOf, weather } from './storm.ts';
import { Testbed } from './testbed.ts';

const faults: Fault[] = [
  {
    name: 'SIGKILL of the leader',
    begin: async (testbed) => {
      const node = await leaderOf(testbed);
      await testbed.fleet.kill(node);
      return node;
    },
  },
  {
    name: 'SIGKILL of a host',
    begin: async (testbed) => {
      const node = await hostOf(testbed);
      await testbed.fleet.kill(node);
      return node;
    },
  },
  {
    name: 'cut off from the network for 20 s',
    begin: async (testbed) => {
      const node = await hostOf(testbed);
      await testbed.docker.disconnect(node);
      return node;
    },
    lastsMs: 20_000,
    end: (testbed, node) => testbed.docker.connect(node),
  },
  {
    name: 'paused for 15 s',
    begin: async (testbed) => {
      const node = await hostOf(testbed);
      await testbed.fleet.pause(node);
      return node;
    },
    lastsMs: 15_000,
    end: (testbed, node) => testbed.fleet.unpause(node),
  },
];

describeWithDocker('five containers', () => {
  test('lose and double nothing while nodes are killed, cut off and paused', { timeout: 400_000 }, async () => {
    await Testbed.with('docker', (testbed) => weather(testbed, faults));
  });
});
