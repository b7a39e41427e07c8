import type { Command } from 'commander';
import type { branchJson, wantedJson } from '../api/views.ts';
import { pathOf } from './agent-path.ts';
import { UsageError } from './command-error.ts';
import { print, tableOf } from './output.ts';
import type { Session } from './session.ts';

export type BranchJson = ReturnType<typeof branchJson>;

/** Branches of an agent: what each side did, and what became of it. */
export function branchesTable(branches: readonly BranchJson[]): string {
  const rows = branches.map(({ fork, since_ms, until_ms, tasks, main_steps, outcome, reason }) => [
    fork,
    new Date(since_ms).toISOString(),
    until_ms === 0 ? '-' : new Date(until_ms).toISOString(),
    String(tasks),
    main_steps === null ? '-' : String(main_steps),
    outcome ?? 'to be reconciled',
    reason ?? '',
  ]);
  return tableOf(['branch', 'since', 'until', 'tasks there', 'steps of the majority', 'outcome', 'why'], rows);
}

type ForkJson = { encoding: string; state: unknown } & ReturnType<typeof wantedJson>;

/** What a fork's tasks wanted to send, and its timers. */
function wantedTables({ letters, timers, timers_taken_back: takenBack }: ForkJson): string {
  const sent = letters.map(({ to, key, priority, task }) => [to || '-', key, String(priority), JSON.stringify(task)]);
  const set = timers.map(({ name, at_ms, every_ms, task }) => [
    ...[name, new Date(at_ms).toISOString(), every_ms === null ? '-' : `${every_ms} ms`, JSON.stringify(task)],
  ]);
  return [
    sent.length === 0 ? 'It wanted to send nothing.' : tableOf(['to', 'key', 'priority', 'task'], sent),
    set.length === 0 ? 'It set no timers.' : tableOf(['timer', 'at', 'every', 'task'], set),
    ...(takenBack.length === 0 ? [] : [`It took timers back: ${takenBack.join(', ')}`]),
  ].join('\n');
}

/** The command about what branches did that is no part of an agent's history. */
export function registerForks(program: Command, session: Session): void {
  program
    .command('forks')
    .argument('<agent>')
    .description('what an agent did on sides without a majority that is kept beside its history')
    .option('--get <fork>', 'print the state that it came to; base64 when it is not JSON')
    .option('--mail <fork>', 'list what its tasks wanted to send, and its timers: nothing of that has left')
    .option('--delete <fork>', 'forget it for good')
    .addHelpText(
      'after',
      '\nExamples:\n  conclave forks trading-1\n  conclave forks trading-1 --get b0opzzd4ktbzf.2034942548\n' +
        '  conclave forks trading-1 --mail b0opzzd4ktbzf.2034942548\n' +
        '  conclave forks trading-1 --delete b0opzzd4ktbzf.2034942548',
    )
    .action((agent: string, { get, mail, delete: gone }: { get?: string; mail?: string; delete?: string }) =>
      session.withClient(async (client, { json }) => {
        if ([get, mail, gone].filter((wish) => wish !== undefined).length > 1) {
          throw new UsageError('One of --get, --mail and --delete, not several.');
        }
        if (get !== undefined) {
          const answer = await client.get<ForkJson>(pathOf(agent, `/forks/${get}`));
          const text = answer.encoding === 'base64' ? String(answer.state) : JSON.stringify(answer.state, null, 2);
          print(session.console, json, answer, () => text);
        } else if (mail !== undefined) {
          const answer = await client.get<ForkJson>(pathOf(agent, `/forks/${mail}`));
          print(session.console, json, answer, () => wantedTables(answer));
        } else if (gone !== undefined) {
          const answer = await client.delete<{ fork: string }>(pathOf(agent, `/forks/${gone}`));
          print(session.console, json, answer, () => `fork ${answer.fork} is deleted.`);
        } else {
          const answer = await client.get<{ forks: BranchJson[] }>(pathOf(agent, '/forks'));
          const { forks } = answer;
          print(session.console, json, answer, () => (forks.length === 0 ? 'No forks.' : branchesTable(forks)));
        }
      }),
    );
}
