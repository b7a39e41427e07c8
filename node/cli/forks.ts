import type { Command } from 'commander';
import type { branchJson } from '../api/views.ts';
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

/** The command about what branches did that is no part of an agent's history. */
export function registerForks(program: Command, session: Session): void {
  program
    .command('forks')
    .argument('<agent>')
    .description('what an agent did on sides without a majority that is kept beside its history')
    .option('--get <fork>', 'print the state that it came to; base64 when it is not JSON')
    .option('--delete <fork>', 'forget it for good')
    .addHelpText(
      'after',
      '\nExamples:\n  conclave forks trading-1\n  conclave forks trading-1 --get b0opzzd4ktbzf.2034942548\n' +
        '  conclave forks trading-1 --delete b0opzzd4ktbzf.2034942548',
    )
    .action((agent: string, { get, delete: gone }: { get?: string; delete?: string }) =>
      session.withClient(async (client, { json }) => {
        if (get !== undefined && gone !== undefined) throw new UsageError('--get or --delete, not both.');
        if (get !== undefined) {
          const answer = await client.get<{ encoding: string; state: unknown }>(pathOf(agent, `/forks/${get}`));
          const text = answer.encoding === 'base64' ? String(answer.state) : JSON.stringify(answer.state, null, 2);
          print(session.console, json, answer, () => text);
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
