import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Done, Job, Outcome, Progress } from '../../sim/job.ts';
import type * as Simulator from '../../sim/main.ts';
import { UsageError } from './command-error.ts';
import { bundle } from './deploy.ts';
import { colors, exitCodes } from './output.ts';
import type { Session } from './session.ts';
import { addSimOptions, type Given, readSimOptions, type SimOptions } from './sim-options.ts';
import { faultsText, guestsText, marksText, summaryText, violationText } from './sim-text.ts';
import { StatusLine } from './status-line.ts';
import { Swarm } from './swarm.ts';
import type { Console } from './up.ts';
import { readVersion } from './version.ts';

const interruptedCode = 130;
const shrinkRunsMax = 400;
const shrinkForMs = 60_000;

const ownUrl = new URL('./sim.mjs', import.meta.url);
const builtUrl = new URL('../../dist/sim.mjs', import.meta.url);

/** Registers `conclave sim`. The simulator is a program beside this one, loaded when it is wanted. */
export function registerSimCommand(program: Command, session: Session): void {
  const command = addSimOptions(program.command('sim'));
  command.action((given: Given) =>
    session.run(async ({ json }) => {
      const url = existsSync(ownUrl) ? ownUrl : builtUrl;
      const simulator = (await import(url.href)) as typeof Simulator;
      if (given.faults === 'list') return void session.console.out.write(`${faultsText(simulator)}\n`);
      const options = await readSimOptions(given, simulator);
      const run = new SimCommand(simulator, options, json === true, session.console);
      session.exitCode = await run.run();
    }),
  );
}

/** One `conclave sim`: runs what was asked for, shows it, and keeps what was found. */
class SimCommand {
  readonly #simulator: typeof Simulator;
  readonly #options: SimOptions;
  readonly #json: boolean;
  readonly #console: Console;
  readonly #status: StatusLine;
  readonly #pool: ReturnType<typeof Simulator.createPool>;
  #interrupted = false;

  constructor(simulator: typeof Simulator, options: SimOptions, json: boolean, console: Console) {
    this.#simulator = simulator;
    this.#options = options;
    this.#json = json;
    this.#console = console;
    this.#status = new StatusLine(console, !json);
    this.#pool = simulator.createPool();
  }

  async run(): Promise<number> {
    const interrupt = (): void => {
      this.#interrupted = true;
      void this.#pool.close();
    };
    process.once('SIGINT', interrupt);
    try {
      const { replay, scenario, runs } = this.#options;
      if (replay !== undefined) return await this.#replay(replay);
      if (scenario !== undefined) return await this.#scenario(scenario);
      return runs === 1 ? await this.#single() : await this.#swarm();
    } catch (error) {
      if (!this.#interrupted) throw error;
      return this.#sayInterrupted();
    } finally {
      process.removeListener('SIGINT', interrupt);
      this.#status.clear();
      await this.#pool.close();
    }
  }

  #sayInterrupted(): number {
    this.#status.clear();
    if (this.#json) this.#print({ ok: false, error: { message: 'interrupted before the run was over' } });
    else this.#say('Interrupted before the run was over: nothing is known of it. The seed is above.');
    return interruptedCode;
  }

  #draw(seed: number): ReturnType<typeof Simulator.drawPlan> {
    const { consensus, wishes } = this.#options;
    const { drawPlan, drawConsensusPlan } = this.#simulator;
    return (consensus ? drawConsensusPlan : drawPlan)(String(seed), wishes);
  }

  // ---- one run ----

  async #single(): Promise<number> {
    const { seed, modules, command } = this.#options;
    const again = `${command} --seed ${seed}`;
    const plan = this.#draw(seed);
    this.#say(colors.bold(`Seed ${seed}`) + ` · ${plan.nodes} nodes, ${plan.faultsMs / 1_000} s of faults`);
    const outcome = await this.#perform({ type: 'run', plan, modules, record: true, command: again });
    return this.#show(outcome, again);
  }

  async #scenario(file: string): Promise<number> {
    const { seed, modules } = this.#options;
    if (!existsSync(file)) throw new UsageError(`There is no file ${file}. Nothing was run.`);
    const code = await bundle(file);
    const url = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
    const again = `npx conclave sim --scenario ${file} --seed ${seed}`;
    this.#say(colors.bold(`Seed ${seed}`));
    return this.#show(
      await this.#perform({ type: 'scenario', url, seed: String(seed), modules, record: true, command: again }),
      again,
      false,
    );
  }

  async #replay(file: string): Promise<number> {
    const replay = this.#readReplay(file);
    const { plan, modules, hash, footprints } = replay;
    const again = `npx conclave sim --replay ${file}`;
    this.#say(colors.bold(`Seed ${plan.seed}, from ${file}`));
    const expected = { hash, footprints };
    const outcome = await this.#perform({ type: 'run', plan, modules, record: true, command: again, expected });
    const { differs } = outcome;
    if (differs !== undefined && !this.#json) {
      const where = `between its steps ${differs.afterStep + 1} and ${differs.untilStep}`;
      this.#say(colors.yellow(`This is not the same run any more: it takes another course ${where}.`));
      if (differs.line !== undefined) this.#say(`  There it does: ${differs.line}`);
    } else this.#say(`The same run, to the same event (hash ${hash}).`);
    return this.#show(outcome, again, false);
  }

  #readReplay(file: string) {
    if (!existsSync(file)) throw new UsageError(`There is no file ${file}. Nothing was run.`);
    try {
      return this.#simulator.readReplay(readFileSync(file, 'utf8'), this.#program, this.#options.force);
    } catch (error) {
      if (error instanceof this.#simulator.ReplayRefused) throw new UsageError(`${file}: ${error.message}`);
      throw error;
    }
  }

  get #program(): { version: string; hash: string } {
    return { version: readVersion(), hash: this.#simulator.programHash() };
  }

  async #show(outcome: Outcome, again: string, keep = true): Promise<number> {
    this.#status.clear();
    const { verdict, story = [] } = outcome;
    const found = keep && verdict.violation ? await this.#keep(outcome) : undefined;
    const report = this.#writeReport(outcome);
    if (this.#json) this.#print({ ...jsonOf(outcome), ...found?.files, ...(report && { report }) });
    else {
      for (const line of story) this.#say(line);
      this.#say(`\n${summaryText(outcome)}`);
      if (outcome.guests) this.#say(guestsText(outcome));
      this.#say(
        marksText(new Map(Object.entries(outcome.marks)), this.#simulator.markSentences(outcome.plan.alone), false),
      );
      if (report) this.#say(`Report: ${report}`);
      if (verdict.violation) this.#sayBroken(outcome, again, found);
      else this.#say(colors.green(colors.bold('Every promise held.')));
    }
    return verdict.ok ? exitCodes.ok : exitCodes.failed;
  }

  #sayBroken({ verdict, plan }: Outcome, again: string, found: Kept | undefined): void {
    if (verdict.violation) this.#say(`\n${violationText(plan.seed, verdict.violation)}`);
    this.#say(`\nSee it again:  ${again}`);
    if (found === undefined) return;
    this.#say(`To the event:  npx conclave sim --replay ${found.files.replay}`);
    if (found.files.shrunk === undefined) return;
    const { nodes, strikes, faultsMs } = found.smallest;
    this.#say(`Smaller, with ${nodes} nodes, ${strikes.length} faults, ${faultsMs / 1_000} s:`);
    this.#say(`               npx conclave sim --replay ${found.files.shrunk}`);
  }

  // ---- many runs ----

  async #swarm(): Promise<number> {
    const { seed, runs, jobs, forMs, modules, collect, command } = this.#options;
    this.#say(colors.bold(`Seeds ${seed} to ${seed + runs - 1}`) + `, ${jobs} at a time`);
    const swarm = new Swarm({
      seed,
      runs,
      jobs,
      forMs,
      collect,
      run: (each) => {
        const plan = this.#draw(each);
        return this.#perform({ type: 'run', plan, modules, record: false, command }, true);
      },
      onProgress: (text) => this.#status.show(text),
      onBroken: (text) => {
        this.#status.clear();
        if (!this.#json) this.#say(colors.red(text));
      },
    });
    await swarm.run(() => this.#interrupted);
    this.#status.clear();
    const [first] = swarm.broken;
    const found = first && !this.#interrupted ? await this.#keep(first) : undefined;
    const report = first && found ? await this.#reportOf(first) : undefined;
    if (this.#json)
      this.#print({ ...swarm.toJson(), ...found?.files, ...(report && { report }), interrupted: this.#interrupted });
    else {
      this.#say(swarm.toText());
      this.#say(
        marksText(swarm.marks, this.#simulator.markSentences(this.#options.consensus ? 'consensus' : undefined), true),
      );
      if (first) this.#sayBroken(first, `${command} --seed ${first.plan.seed}`, found);
      else if (!this.#interrupted) this.#say(colors.green(colors.bold('Every promise held.')));
      if (this.#options.report !== undefined && report === undefined)
        this.#say('No promise was broken: no report was written.');
      if (report) this.#say(`Report: ${report}`);
      if (this.#interrupted) this.#say('Interrupted: this is what was covered so far.');
    }
    if (this.#interrupted) return interruptedCode;
    return first === undefined ? exitCodes.ok : exitCodes.failed;
  }

  /** The first broken run once more, with everything that a page shows. */
  async #reportOf({ plan }: Outcome): Promise<string | undefined> {
    if (this.#options.report === undefined) return undefined;
    const { modules, command } = this.#options;
    const again = `${command} --seed ${plan.seed}`;
    return this.#writeReport(await this.#perform({ type: 'run', plan, modules, record: true, command: again }));
  }

  // ---- what is kept ----

  async #keep(outcome: Outcome): Promise<Kept> {
    const { out, shrink, modules } = this.#options;
    mkdirSync(out, { recursive: true });
    const replay = this.#writeReplay(outcome, join(out, `conclave-sim-${outcome.plan.seed}.json`));
    const { violation } = outcome.verdict;
    if (!shrink || violation === undefined) return { files: { replay }, smallest: outcome.plan };
    const { checker } = violation;
    const job: Job = {
      type: 'shrink',
      plan: outcome.plan,
      modules,
      checker,
      runsMax: shrinkRunsMax,
      forMs: shrinkForMs,
    };
    const done = await this.#pool.run(job, (progress) => this.#showShrinking(progress));
    this.#status.clear();
    if (done.type !== 'shrink') return { files: { replay }, smallest: outcome.plan };
    const shrunk = this.#writeReplay(done.outcome, join(out, `conclave-sim-${outcome.plan.seed}-shrunk.json`));
    return { files: { replay, shrunk }, smallest: done.plan };
  }

  #showShrinking(progress: Progress): void {
    if ('runs' in progress)
      this.#status.show(() => `Looking for a smaller run that breaks the same promise: ${progress.runs} tried`);
  }

  #writeReplay({ plan, verdict, footprints }: Outcome, file: string): string {
    const { version, hash: program } = this.#program;
    const { hash, steps, violation } = verdict;
    const { modules } = this.#options;
    const broken = violation && { checker: violation.checker, what: violation.what, atMs: violation.atMs };
    const replay = { version, program, plan, modules, hash, steps, footprints, ...(broken && { violation: broken }) };
    writeFileSync(file, this.#simulator.replayText(replay));
    return file;
  }

  #writeReport({ recording }: Outcome): string | undefined {
    const { report } = this.#options;
    if (report === undefined || recording === undefined) return undefined;
    writeFileSync(report, this.#simulator.reportPage(recording, this.#simulator.reportViewer()));
    return report;
  }

  // ---- the pool, and the console ----

  async #perform(job: Job, quiet = false): Promise<Outcome> {
    const done: Done = await this.#pool.run(job, (progress) => {
      if (!quiet && 'virtualMs' in progress)
        this.#status.show(() => `${(progress.virtualMs / 1_000).toFixed(0)} s of virtual time`);
    });
    if (done.type === 'mistake') throw new UsageError(done.message);
    return done.outcome;
  }

  #say(text: string): void {
    if (!this.#json) this.#console.out.write(`${text}\n`);
  }

  #print(value: unknown): void {
    this.#console.out.write(`${JSON.stringify(value)}\n`);
  }
}

/** Files that hold a broken run, and the smallest plan that breaks the same promise. */
interface Kept {
  files: { replay: string; shrunk?: string };
  smallest: Outcome['plan'];
}

function jsonOf({ verdict, plan, marks, guests, differs }: Outcome): Record<string, unknown> {
  const { seed, ok, hash, steps, virtualMs, counts, violation } = verdict;
  const what = { nodes: plan.nodes, faultsMs: plan.faultsMs, virtualMs, steps, counts, marks };
  return {
    seed,
    ok,
    hash,
    verdict: ok ? 'every promise held' : violation?.checker,
    ...what,
    ...(violation && { violation }),
    ...(guests && { guests }),
    ...(differs && { differs }),
  };
}
