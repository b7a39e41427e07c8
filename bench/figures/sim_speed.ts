import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Speed } from '../../sim/speed.ts';
import type { Bench, Figure, Measured } from '../figure.ts';
import { median } from '../sample.ts';

const repetitions = 5;
/** It takes most of a minute until 1,000 agents run. */
const largeRepetitions = 2;
const seedsForMs = 15_000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const childMb = 4_096;
/** As the simulator's own threads have it. */
const semiSpaceMb = 32;

const run = promisify(execFile);

/** What the built simulator measures of itself, in a process of its own with one thread for it: the first is to warm up. */
async function measure({ distDirectory, signal }: Bench, calls: readonly string[]): Promise<Speed[]> {
  const simulator = pathToFileURL(join(distDirectory, 'sim.mjs')).href;
  const code = [
    `const { speeds } = await import(${JSON.stringify(simulator)});`,
    `console.log(JSON.stringify([${calls.map((call) => `speeds.${call}`).join(', ')}]));`,
  ].join('\n');
  const args = [
    `--max-old-space-size=${childMb}`,
    `--max-semi-space-size=${semiSpaceMb}`,
    '--input-type=module',
    '-e',
    code,
  ];
  const { stdout } = await run(process.execPath, args, { signal, maxBuffer: 1024 * 1024 });
  return JSON.parse(stdout) as Speed[];
}

/** Virtual time over real time, with what it is made of beside it. `floor`: the same number of events that do nothing. */
async function speedOf(bench: Bench, call: (seed: string) => string, times = repetitions): Promise<Measured> {
  const seeds = Array.from({ length: times + 1 }, (_, i) => `'bench ${i}'`);
  const [, ...measured] = await measure(bench, seeds.map(call));
  const stepUs = median(measured.map(({ realMs, steps }) => (realMs * 1_000) / steps)) ?? 0;
  const stepsPerVirtualS = median(measured.map(({ steps, virtualMs }) => steps / (virtualMs / 1_000))) ?? 0;
  const perVirtualS = median(measured.map(({ acknowledged, virtualMs }) => acknowledged / (virtualMs / 1_000))) ?? 0;
  return {
    values: measured.map(({ virtualMs, realMs }) => virtualMs / realMs),
    floor: 1e6 / ((await emptyStepUs(bench)) * stepsPerVirtualS),
    extra: {
      stepUs: Number(stepUs.toFixed(2)),
      stepsPerVirtualS: Math.round(stepsPerVirtualS),
      acknowledgedPerVirtualS: Number(perVirtualS.toFixed(1)),
    },
  };
}

async function emptyStepUs(bench: Bench): Promise<number> {
  const [, empty] = await measure(bench, ['emptySpeed(1e6)', 'emptySpeed(5e6)']);
  return empty === undefined ? Number.NaN : (empty.realMs * 1_000) / empty.steps;
}

const higher = { unit: 'x', better: 'higher' } as const;

/** Consensus alone, 5 nodes with load. */
export const simConsensus: Figure = {
  name: 'sim_consensus_speed',
  ...higher,
  measure: (bench) => speedOf(bench, (seed) => `consensusSpeed(${seed})`),
};

/** The whole system, 5 nodes, 20 agents, tasks flowing, every kind of fault. */
export const simCluster: Figure = {
  name: 'sim_cluster_speed',
  ...higher,
  measure: (bench) => speedOf(bench, (seed) => `clusterSpeed(${seed})`),
};

/** The whole system, 100 nodes, 1,000 agents. */
export const simCluster100: Figure = {
  name: 'sim_cluster100_speed',
  ...higher,
  measure: (bench) => speedOf(bench, (seed) => `cluster100Speed(${seed})`, largeRepetitions),
};

/** Ordinary seeds, whole system: each counts as often as it has 60 virtual seconds. */
export const simSeeds: Figure = {
  name: 'sim_seeds_per_hour',
  unit: '1/h',
  better: 'higher',
  async measure(bench) {
    const first = Array.from({ length: 4 }, (_, i) => 1_000 * i + 1);
    const [, ...measured] = await measure(
      bench,
      first.map((seed) => `seedsSpeed(${seed}, ${seedsForMs})`),
    );
    return { values: measured.map(({ virtualMs, realMs }) => (virtualMs / minuteMs / realMs) * hourMs) };
  },
};
