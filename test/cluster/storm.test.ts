import { describe, expect, test } from 'vitest';
import { adminNetworkOf, labels } from '../../docker/container.ts';
import { connectEngine, type Engine } from '../../docker/engine.ts';
import type { StatusJson } from '../../node/cli/status.ts';
import { describeWithDocker } from '../docker-engine.ts';
import { findPython } from '../python.ts';
import { say, stormSeconds, stormSeed, weather } from './storm.ts';
import { faultKinds } from './storm-faults.ts';
import { stormImages } from './storm-images.ts';
import { Testbed } from './testbed.ts';

const python = findPython();
const [workers, processes, containers] = [30, 10, 10];

interface Box {
  agent: string;
  node: string;
  /** In which its code was started: it may have gone on into later ones. */
  epoch: number;
}

/** The containers of agents that the cluster's nodes made. */
async function boxesOf(docker: Engine, cluster: string): Promise<Box[]> {
  const found = await docker.listContainers({ all: true, filters: { label: [labels.owner] } });
  const own = found.filter(({ Labels: marks }) => marks[labels.owner]?.startsWith(`${cluster}/`));
  return own.map(({ Labels: marks }) => {
    const [agent = '', node = ''] = [marks['conclave.agent'], marks['conclave.node']];
    return { agent, node, epoch: Number(marks['conclave.epoch']) };
  });
}

/** Nothing runs but what is to run: each container agent's container, and each process agent's process where its host is. */
async function expectNoOrphans(testbed: Testbed, { agents }: StatusJson): Promise<void> {
  const { engine } = testbed.docker;
  const boxed = agents.filter(({ type }) => type === 'desk-boxed');
  await testbed.until('containers are those of agents', async () => {
    const boxes = await boxesOf(engine, testbed.fleet.name);
    const isOf = ({ agent, node, epoch }: Box): boolean =>
      boxed.some((one) => one.id === agent && one.host === node && epoch <= one.epoch);
    const distinct = new Set(boxes.map(({ agent }) => agent));
    return boxes.length === boxed.length && distinct.size === boxed.length && boxes.every(isOf);
  });
  for (const { name, handle } of await testbed.fleet.list()) {
    const here = agents.filter(({ type, host_name: host }) => type === 'desk-python' && host === name);
    await testbed.until(`the processes on ${name} are those of agents`, async () => {
      const { Processes: found } = (await engine.getContainer(handle).top()) as { Processes: string[][] };
      return found.filter((row) => row.at(-1)?.includes('python3')).length === here.length;
    });
  }
}

/** Address of this machine in the network in which nodes are reached. */
async function gatewayOf(testbed: Testbed): Promise<string> {
  const { engine, name } = testbed.docker;
  const { IPAM } = await engine.getNetwork(adminNetworkOf(name)).inspect();
  return (IPAM as { Config: { Gateway: string }[] }).Config[0]?.Gateway ?? '';
}

describeWithDocker('fifty agents of three runtimes on five nodes in containers', () => {
  // Where changes are judged a storm that was left out would pass for one that was weathered.
  describe.skipIf(python === undefined && process.env.CI === undefined)('where there is python3', () => {
    const timeout = (stormSeconds + 500) * 1_000;
    test('lose and double nothing in a storm, leave no orphan, and no outside system hears an older epoch', {
      timeout,
    }, async () => {
      if (python === undefined) throw new Error('there is no python3 for the storm: install it');
      const docker = await connectEngine();
      const begunMs = performance.now();
      const images = await stormImages(docker, python);
      say(`images made in ${Math.round(performance.now() - begunMs)} ms`);
      const programs = { interpreters: [`python3=${python.program}`], containers: [images.agent] };
      const command = [python.program, '-B', '/agent/agent.py'];
      const spec = { image: images.agent, command, memory_mb: 128, cpus: 0.5, pids: 16 };
      let name = '';
      try {
        await Testbed.with(
          'docker',
          async (testbed) => {
            name = testbed.fleet.name;
            await weather(testbed, {
              ...{ seed: stormSeed, seconds: stormSeconds, kinds: faultKinds, perSecond: 40 },
              ...{ workers, processes, containers: { count: containers, spec } },
              ...{ gateway: gatewayOf, atEnd: expectNoOrphans },
            });
          },
          { programs, base: images.base },
        );
        expect(await boxesOf(docker, name)).toEqual([]);
      } finally {
        await images.remove();
      }
    });
  });
});
