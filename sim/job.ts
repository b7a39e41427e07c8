import { agentModule } from './agent-module.ts';
import { Footprints, lineOfPlan } from './comparison.ts';
import { consensusDetectors } from './consensus/marks.ts';
import { runConsensusPlan } from './consensus/run.ts';
import { ConsensusSimulation } from './consensus/simulation.ts';
import { ScenarioMistake } from './failure.ts';
import { Marks } from './marks/marks.ts';
import type { Plan } from './plan.ts';
import type { Program } from './program.ts';
import { Recorder } from './recorder.ts';
import type { Recording } from './recording.ts';
import { runPlan, type Verdict } from './run.ts';
import { type Scenario, ScenarioSimulation, whyNotScenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { Simulation } from './simulation.ts';
import { story } from './story.ts';

/** One thing for a worker to do. */
export type Job =
  | { type: 'run'; plan: Plan; modules: Record<string, string>; record: boolean; command: string; expected?: Expected }
  | { type: 'scenario'; url: string; seed: string; modules: Record<string, string>; record: boolean; command: string }
  | { type: 'shrink'; plan: Plan; modules: Record<string, string>; checker: string; runsMax: number; forMs: number };

/** What a replayed run must come to. */
export interface Expected {
  hash: string;
  footprints: string;
}

/** What came of it. */
export type Done =
  | { type: 'run'; outcome: Outcome }
  | { type: 'shrink'; plan: Plan; runs: number; outcome: Outcome }
  | { type: 'mistake'; message: string };

export interface Outcome {
  verdict: Verdict;
  plan: Plan;
  footprints: string;
  /** How often each coverage mark was hit. */
  marks: Record<string, number>;
  /** Told only of recorded runs. */
  story?: string[];
  recording?: Recording;
  guests?: GuestReport[];
  /** Of a replay that took another course. */
  differs?: { afterStep: number; untilStep: number; line: string | undefined };
}

/** What became of one of a user's agents. */
export interface GuestReport {
  agent: string;
  tasks: number;
  refused: number;
  /** Longest that a client waited for an answer, all tries together, ms. */
  slowestMs: number;
  /** Placements of it, the first among them. */
  placements: number;
  /** Why its answers were not compared with those of an undisturbed one. */
  notCompared?: string;
}

/** Virtual time so far, and shrinking runs so far, for whoever watches. */
export type Progress = { virtualMs: number } | { runs: number };

export async function perform(job: Job, onProgress: (progress: Progress) => void): Promise<Done> {
  try {
    if (job.type === 'shrink') return shrinkPlan(job, onProgress);
    if (job.type === 'run') return { type: 'run', outcome: runOne(job, onProgress) };
    const { default: scenario } = (await import(job.url)) as { default: unknown };
    const wrong = whyNotScenario(scenario);
    if (wrong !== undefined) throw new ScenarioMistake(`This is no scenario: ${wrong}.`);
    return { type: 'run', outcome: runScenario(job, scenario as Scenario) };
  } catch (error) {
    if (error instanceof ScenarioMistake) return { type: 'mistake', message: error.message };
    throw error;
  }
}

const programsOf = (modules: Record<string, string>): Record<string, Program> =>
  Object.fromEntries(Object.entries(modules).map(([type, source]) => [type, agentModule(source, type)]));

function runOne(job: Extract<Job, { type: 'run' }>, onProgress: (progress: Progress) => void): Outcome {
  const { plan, modules, record, command, expected } = job;
  const subject = subjectOf(plan, modules);
  subject.simulation.onProgress = (virtualMs) => onProgress({ virtualMs });
  const { outcome, footprints } = observe(subject, record, command);
  if (expected === undefined || expected.hash === outcome.verdict.hash) return outcome;
  const differs = footprints.differs(Footprints.decode(expected.footprints));
  const { steps } = outcome.verdict;
  const { afterStep, untilStep } = differs ?? { afterStep: steps, untilStep: steps };
  return { ...outcome, differs: { afterStep, untilStep, line: lineOfPlan(plan, afterStep + 1) } };
}

function runScenario(
  { seed, modules, record, command }: Extract<Job, { type: 'scenario' }>,
  scenario: Scenario,
): Outcome {
  return observe(wholeProgram(new ScenarioSimulation(scenario, seed, [], programsOf(modules))), record, command)
    .outcome;
}

/** What is run: the whole program, or consensus alone. */
interface Subject {
  simulation: Simulation | ConsensusSimulation;
  marks: Marks;
  run(): Verdict;
  guests(): GuestReport[] | undefined;
}

function subjectOf(plan: Plan, modules: Record<string, string>): Subject {
  if (plan.alone === undefined) return wholeProgram(new Simulation(plan, [], programsOf(modules)));
  const simulation = new ConsensusSimulation(plan);
  const marks = new Marks(simulation.world, consensusDetectors);
  return { simulation, marks, run: () => runConsensusPlan(plan, simulation), guests: () => undefined };
}

function wholeProgram(simulation: Simulation): Subject {
  return {
    simulation,
    marks: new Marks(simulation.world),
    run: () => runPlan(simulation.plan, simulation),
    guests: () => simulation.guests && guestReports(simulation),
  };
}

function observe(
  { simulation, marks, run, guests: guestsOf }: Subject,
  record: boolean,
  command: string,
): { outcome: Outcome; footprints: Footprints } {
  const { world, plan } = simulation;
  world.watch(marks);
  const footprints = new Footprints();
  footprints.follow(world);
  const recorder = record ? new Recorder(world) : undefined;
  if (recorder) world.watch(recorder);
  const verdict = run();
  const guests = guestsOf();
  const { violation } = verdict;
  if (violation) recorder?.note({ kind: 'violation', text: violation.what, details: { checker: violation.checker } });
  const { faults, acknowledged } = verdict.counts;
  const summary = violation ? violation.what : `${acknowledged} tasks were acknowledged, through ${faults} faults.`;
  const why = violation && {
    checker: violation.checker,
    evidence: Object.values(violation.lastEvents).flat().join('\n'),
  };
  return {
    footprints,
    outcome: {
      verdict,
      plan,
      footprints: footprints.encode(),
      marks: Object.fromEntries(marks.hit),
      ...(recorder && {
        story: story(recorder.events),
        recording: recorder.recording({
          command,
          verdict: { ok: verdict.ok, summary, ...why },
          counts: verdict.counts,
        }),
      }),
      ...(guests && { guests }),
    },
  };
}

function guestReports({ guests, ledger, notCompared }: Simulation): GuestReport[] {
  return (guests?.agents ?? []).map((agent) => {
    const tasks = [...(guests?.sent.get(agent)?.values() ?? [])].flatMap(({ answered, sentMs }) =>
      answered ? [{ ok: answered.ok, tookMs: answered.atMs - sentMs }] : [],
    );
    const why = notCompared.get(agent);
    return {
      agent,
      tasks: tasks.length,
      refused: tasks.filter(({ ok }) => !ok).length,
      slowestMs: Math.round(Math.max(0, ...tasks.map(({ tookMs }) => tookMs))),
      placements: [...ledger.placements.keys()].filter((key) => key.startsWith(`${agent}#`)).length,
      ...(why !== undefined && { notCompared: why }),
    };
  });
}

function shrinkPlan(job: Extract<Job, { type: 'shrink' }>, onProgress: (progress: Progress) => void): Done {
  const { modules, checker, runsMax, forMs } = job;
  const untilMs = performance.now() + forMs;
  let count = 0;
  const fails = (plan: Plan): boolean => {
    onProgress({ runs: ++count });
    return subjectOf(plan, modules).run().violation?.checker === checker;
  };
  const { plan, runs } = shrink(job.plan, fails, { runsMax, mayGoOn: () => performance.now() < untilMs });
  return { type: 'shrink', plan, runs, outcome: observe(subjectOf(plan, modules), true, '').outcome };
}
