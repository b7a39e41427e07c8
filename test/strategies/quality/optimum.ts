import highs from 'highs';
import type { Candidate } from '../../../strategies/candidate.ts';
import { filtersFor } from '../../../strategies/feasibility.ts';
import type { Problem } from './problem.ts';

/** Its types are those of CommonJS, what is loaded is an ES module. */
const loadHighs = highs as unknown as typeof highs.default;
const solver = await loadHighs();
/** Parts of the search tree, not seconds: the same on every machine. */
const limits = { mip_max_nodes: 300, mip_rel_gap: 0.002, output_flag: false } as const;

/** How many agents of each kind are on each node. */
export type Counts = number[][];

const x = (kind: number, node: number): string => `x${kind}_${node}`;

const sum = (terms: readonly string[]): string => (terms.length === 0 ? '0 t' : terms.join(' + '));

/** A program in the LP format; undefined when the solver did not come to an end in time, or there is no solution. */
function solve(objective: string, rows: readonly string[], whole: readonly string[]): number | undefined {
  const text = [
    objective,
    'Subject To',
    ...rows.map((row, i) => ` r${i}: ${row}`),
    'General',
    ` ${whole.join(' ')}`,
    'End',
  ];
  const { Status, ObjectiveValue } = solver.solve(text.join('\n'), limits);
  return Status === 'Optimal' ? ObjectiveValue : undefined;
}

/** Where agents of a kind may be at all, said by the filters that look at a node alone. */
function allowed({ nodes, kinds }: Problem): boolean[][] {
  return kinds.map(({ need }) => {
    const fixed = filtersFor(need).filter((filter) => filter.fixed);
    return nodes.map((node) => {
      const candidate: Candidate = { ...node, agents: 0, holdsState: false };
      return !fixed.some((filter) => filter.rejects(candidate, need));
    });
  });
}

/** Rows that every placement keeps to: no more than there are, none where it may not be, and most of a kind on a node. */
function commonRows(problem: Problem): { rows: string[]; whole: string[] } {
  const { nodes, kinds } = problem;
  const may = allowed(problem);
  const rows: string[] = [];
  const whole: string[] = [];
  for (const [k, { need, count }] of kinds.entries()) {
    rows.push(`${sum(nodes.map((_, n) => x(k, n)))} <= ${count}`);
    for (const n of nodes.keys()) {
      whole.push(x(k, n));
      if (may[k]?.[n] !== true) rows.push(`${x(k, n)} <= 0`);
      else if (need.perNodeMax !== undefined) rows.push(`${x(k, n)} <= ${need.perNodeMax}`);
    }
  }
  return { rows, whole };
}

/** What a node has of a resource in use: as terms of a row. */
const inUse = ({ kinds }: Problem, resource: string, n: number): string[] =>
  kinds.map(({ need }, k) => `${need.resources?.[resource] ?? 0} ${x(k, n)}`);

const resources = ['cpu', 'memory'];

/** The most agents that can be placed. */
export function mostPlaced(problem: Problem): number | undefined {
  const { rows, whole } = commonRows(problem);
  for (const [n, { capacity = {} }] of problem.nodes.entries()) {
    for (const resource of resources) rows.push(`${sum(inUse(problem, resource, n))} <= ${capacity[resource]}`);
  }
  return solve(`Maximize\n obj: ${sum(whole)}`, rows, whole);
}

/** The parts of `fullnessWith`: the fullest resource, and the mean of the resources and the agents, which are none here. */
const [fullestPart, meanPart] = [0.75, 0.25 / 3];

/**
 * The least that the fullest node can be when so many are placed, as `least_loaded` counts it. `bound`: as if agents could
 * be cut in pieces, which no placement can be better than.
 */
export function leastFullest(problem: Problem, placed: number, bound: boolean): number | undefined {
  const { rows, whole } = commonRows(problem);
  rows.push(`${sum(whole)} >= ${placed}`);
  for (const [n, { capacity = {} }] of problem.nodes.entries()) {
    const terms = (parts: Record<string, number>): string =>
      sum(
        problem.kinds.map(({ need }, k) => {
          const shares = resources.map(
            (name) => ((parts[name] ?? 0) * (need.resources?.[name] ?? 0)) / (capacity[name] ?? 1),
          );
          return `${shares.reduce((a, b) => a + b, 0).toFixed(9)} ${x(k, n)}`;
        }),
      );
    for (const resource of resources) {
      rows.push(`${sum(inUse(problem, resource, n))} <= ${capacity[resource]}`);
      const parts = Object.fromEntries(
        resources.map((name) => [name, meanPart + (name === resource ? fullestPart : 0)]),
      );
      rows.push(`${terms(parts)} - t <= 0`);
    }
  }
  return solve('Minimize\n obj: t', rows, bound ? [] : whole);
}

/**
 * The fewest moves from where the agents are until no node's memory is further from the mean than that share of it; all
 * nodes have as much.
 */
export function fewestMoves(problem: Problem, now: Counts, share: number): number | undefined {
  const { nodes, kinds } = problem;
  const { rows, whole } = commonRows(problem);
  const capacity = nodes[0]?.capacity?.memory ?? 0;
  const used = kinds.map(({ need }, k) => (need.resources?.memory ?? 0) * (now[k] ?? []).reduce((a, b) => a + b, 0));
  const mean = used.reduce((a, b) => a + b, 0) / nodes.length;
  const moves: string[] = [];
  for (const [k, { count }] of kinds.entries()) {
    rows.push(`${sum(nodes.map((_, n) => x(k, n)))} >= ${count}`);
    for (const n of nodes.keys()) {
      moves.push(`m${k}_${n}`);
      rows.push(`m${k}_${n} - ${x(k, n)} >= ${-(now[k]?.[n] ?? 0)}`);
    }
  }
  for (const n of nodes.keys()) {
    const row = sum(inUse(problem, 'memory', n));
    rows.push(`${row} <= ${Math.min(capacity, mean * (1 + share))}`, `${row} >= ${mean * (1 - share)}`);
  }
  return solve(`Minimize\n obj: ${sum(moves)}`, rows, whole);
}
