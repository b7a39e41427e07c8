import { choose } from '../../strategies/choose.ts';
import { type Mix, mixOf } from '../../strategies/mix.ts';
import type { Choice, Planner } from '../../strategies/planner/planner.ts';
import { strategies } from '../../strategies/registry.ts';
import type { Bench, Figure } from '../figure.ts';
import { askOf, candidatesOf, nodeProfile, plannerOf } from '../placing.ts';
import { median, quantile, rounded } from '../sample.ts';

const million = 1_000_000;
const manyNodes = 5_000;
const mostNodes = 10_000;
const fewNodes = 100;
/** Agents on each node before what is measured, so that every kind of need has been seen. */
const filled = 10;
const decisions = 20_000;
const decisionsOfFew = 5_000;
const repetitions = 5;
const comparisons = 50;

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/** Processor time of this thread and time by the clock, ms. */
function timed(work: () => void): { ms: number; cpuMs: number } {
  const [start, startCpu] = [performance.now(), cpuMs()];
  work();
  return { ms: performance.now() - start, cpuMs: cpuMs() - startCpu };
}

function place(planner: Planner, i: number): Choice {
  const choice = planner.place(askOf(i));
  if (choice === undefined) throw new Error('a strategy is not known');
  return choice;
}

/** Agents that are placed, with what is kept of each decision. */
function placeMany(planner: Planner, from: number, count: number): Choice[] {
  const choices: Choice[] = [];
  for (let i = from; i < from + count; i++) choices.push(place(planner, i));
  return choices;
}

function filledPlanner(nodes: number): Planner {
  const planner = plannerOf(nodes);
  placeMany(planner, 0, nodes * filled);
  return planner;
}

/** Time of one decision that looks at every node and says why of each, ms. */
function lookingAtAllMs(nodes: number): number {
  const candidates = candidatesOf(nodes);
  const once = (i: number): number =>
    timed(() => {
      const { agent, need, turn, strategy } = askOf(i);
      choose(mixOf(strategy, strategies) as Mix, { ...need, agent, turn }, candidates);
    }).ms;
  return median(Array.from({ length: comparisons }, (_, i) => once(i))) as number;
}

/** What it takes to write down as many reservations without choosing, ms. */
function reservingMs(nodes: number, count: number): number {
  const planner = plannerOf(nodes);
  const { ms } = timed(() => {
    for (let i = 0; i < count; i++) {
      const { agent, need } = askOf(i);
      planner.reserve(agent, nodeProfile(i % nodes).node, need);
    }
  });
  return ms;
}

/** First placement of a million agents of 24 kinds on 5,000 nodes, with what is kept of every decision. */
export const placeMillion: Figure = {
  name: 'place_million_s',
  unit: 's',
  measure(bench: Bench) {
    const floor = reservingMs(manyNodes, million) / 1_000;
    bench.say(`reserving alone: ${floor.toFixed(1)} s`);
    const planner = plannerOf(manyNodes);
    let choices: Choice[] = [];
    const { ms, cpuMs: usedMs } = timed(() => {
      choices = placeMany(planner, 0, million);
    });
    const unplaced = choices.filter(({ node }) => node === undefined).length;
    const all = (lookingAtAllMs(manyNodes) * million) / 1_000;
    const extra = { cpu_s: rounded(usedMs / 1_000), unplaced, looking_at_all_s: rounded(all) };
    return Promise.resolve({ values: [ms / 1_000], floor, extra });
  },
};

/** Decisions a second at 5,000 nodes, 24 kinds of need in turn. */
export const placePerSecond: Figure = {
  name: 'place_per_s_5000',
  unit: '1/s',
  better: 'higher',
  measure(bench: Bench) {
    const planner = filledPlanner(manyNodes);
    const values: number[] = [];
    const ofCpu: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const { ms, cpuMs: usedMs } = timed(() => placeMany(planner, planner.agents, decisions));
      values.push((1_000 * decisions) / ms);
      ofCpu.push((1_000 * decisions) / usedMs);
      bench.say(`${i + 1} of ${repetitions}: ${(values.at(-1) as number).toFixed(0)}/s`);
    }
    const floor = (1_000 * decisions) / reservingMs(manyNodes, decisions);
    const extra = {
      per_cpu_s: rounded(median(ofCpu)),
      looking_at_all_per_s: rounded(1_000 / lookingAtAllMs(manyNodes)),
    };
    return Promise.resolve({ values, floor, extra });
  },
};

/** One decision at 10,000 nodes: the 99th percentile of each series. */
export const placeLatency: Figure = {
  name: 'place_p99_ms_10000',
  unit: 'ms',
  measure() {
    const planner = filledPlanner(mostNodes);
    const values: number[] = [];
    const halves: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const from = planner.agents;
      const each = Array.from({ length: decisions }, (_, at) => timed(() => place(planner, from + at)).ms);
      values.push(quantile(each, 0.99) as number);
      halves.push(median(each) as number);
    }
    const extra = { p50_ms: rounded(median(halves)), looking_at_all_ms: rounded(lookingAtAllMs(mostNodes)) };
    return Promise.resolve({ values, floor: reservingMs(mostNodes, decisions) / decisions, extra });
  },
};

/** Processor time of one decision at 10,000 nodes over that at 100. */
export const placeGrowth: Figure = {
  name: 'place_growth',
  unit: 'x',
  measure() {
    const values: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const [few, most] = [fewNodes, mostNodes].map((nodes) => {
        const planner = filledPlanner(nodes);
        return timed(() => placeMany(planner, planner.agents, decisionsOfFew)).cpuMs;
      }) as [number, number];
      values.push(most / few);
    }
    const all = lookingAtAllMs(mostNodes) / lookingAtAllMs(fewNodes);
    return Promise.resolve({ values, extra: { looking_at_all: rounded(all) } });
  },
};
