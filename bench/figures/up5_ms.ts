import type { DockerFleet } from '../../docker/docker-fleet.ts';
import { EngineUnreachable } from '../../docker/engine.ts';
import { ensureImage } from '../../docker/image.ts';
import { bringUp } from '../../node/cli/bring-up.ts';
import { openBenchFleet, removeFleet } from '../cluster.ts';
import type { Bench, Figure } from '../figure.ts';
import { median } from '../sample.ts';

const nodes = 5;
const repetitions = 10;

/** `up 5` in containers, with the image there already → five members, all of them ready, and a leader. */
export const up5: Figure = {
  name: 'up5_ms',
  unit: 'ms',
  async measure(bench) {
    const image = await findImage(bench);
    if (image === undefined) return { values: [] };
    const floors: number[] = [];
    const values: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const floor = await startBare(bench, image, i);
      const ms = await startCluster(bench);
      bench.say(`${i + 1} of ${repetitions}: ${ms.toFixed(0)} ms, bare containers ${floor.toFixed(0)} ms`);
      floors.push(floor);
      values.push(ms);
    }
    return { values, floor: median(floors) as number };
  },
};

async function openDockerFleet(bench: Bench) {
  const { fleet, home } = await openBenchFleet(bench, 'docker', nodes);
  return { fleet: fleet as DockerFleet, home };
}

/** Builds the image if it has to be. `undefined` where there is no engine. */
async function findImage(bench: Bench): Promise<string | undefined> {
  try {
    const { fleet } = await openDockerFleet(bench);
    return await ensureImage(fleet.engine, bench, ({ text }) => bench.say(text), bench.signal);
  } catch (error) {
    if (!(error instanceof EngineUnreachable)) throw error;
    bench.say(error.message);
    return undefined;
  }
}

async function startCluster(bench: Bench): Promise<number> {
  const { fleet, home } = await openDockerFleet(bench);
  const close = bench.scratch.defer(() => removeFleet(fleet));
  const start = performance.now();
  await bringUp({ fleet, home, count: nodes, signal: bench.signal });
  const ms = performance.now() - start;
  await close();
  return ms;
}

/** As many containers of the same image on a network, all at once, with a program that does nothing. */
async function startBare(bench: Bench, image: string, i: number): Promise<number> {
  const { engine } = (await openDockerFleet(bench)).fleet;
  const name = `conclave-bench-${process.pid}-${i}`;
  const network = await engine.createNetwork({ Name: name, Internal: true });
  const made: string[] = [];
  const close = bench.scratch.defer(async () => {
    await Promise.all(made.map((id) => engine.getContainer(id).remove({ force: true })));
    await network.remove();
  });
  const startOne = async (): Promise<void> => {
    const container = await engine.createContainer({
      Image: image,
      Entrypoint: ['/usr/local/bin/node', '-e', 'setInterval(() => {}, 1e6)'],
      HostConfig: { NetworkMode: name },
    });
    made.push(container.id);
    await container.start();
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: nodes }, startOne));
  const ms = performance.now() - start;
  await close();
  return ms;
}
