import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { agentJson } from '../api/views.ts';
import { pathOf } from './agent-path.ts';
import type { Client } from './client.ts';
import { CommandRefused, UsageError } from './command-error.ts';
import { print } from './output.ts';
import type { Session } from './session.ts';
import { agentsTable, migrationText } from './status.ts';

type FullAgent = ReturnType<typeof agentJson>;

interface MigrateOptions {
  wait?: boolean;
  cancel?: boolean;
}

const pollMs = 200;

/** `conclave migrate`: moves an agent with its state while it goes on, or takes that back. */
export function registerMigrate(program: Command, session: Session): void {
  program
    .command('migrate')
    .argument('<agent>')
    .argument('[node]', 'name, id, or the end of an id')
    .description('move an agent with its state; it goes on where it is until its new place is prepared')
    .option('--wait', 'until it is there, and tell how far it has come; exit code 1 when it comes to nothing')
    .option('--cancel', 'take it back, as long as the agent was not switched over')
    .addHelpText(
      'after',
      '\nExamples:\n  conclave migrate trading-1 node-3 --wait\n  conclave migrate trading-1 --cancel',
    )
    .action((agent: string, node: string | undefined, { wait, cancel }: MigrateOptions) =>
      session.withClient(async (client, { json }) => {
        const path = pathOf(agent);
        const tell = (text: string): void => void session.console.err.write(`${text}\n`);
        let answer: FullAgent & { already_there?: boolean };
        if (cancel) answer = (await client.delete<{ agent: FullAgent }>(`${path}/migration`)).agent;
        else if (node === undefined) throw new UsageError('Say where to: conclave migrate <agent> <node>.');
        else {
          const before = await client.getFromLeader<FullAgent>(path);
          const body = { target: node, ...(wait && { wait: false }) };
          answer = (await client.post<{ agent: FullAgent }>(`${path}/migrate`, body)).agent;
          const isUnchanged = answer.migration === null && answer.epoch === before.epoch;
          if (wait) answer = await untilOver(client, path, answer, tell);
          // No move, and the very placement stands: there was nothing to do.
          answer = { ...answer, already_there: isUnchanged };
        }
        const there = `${answer.id} is on ${answer.host_name} already: nothing was done.`;
        print(session.console, json, answer, () => (answer.already_there ? there : agentsTable([answer])));
      }),
    );
}

/** Tells how far it has come whenever that changes. Throws `CommandRefused` when it has come to nothing. */
async function untilOver(
  client: Client,
  path: string,
  first: FullAgent,
  tell: (text: string) => void,
): Promise<FullAgent> {
  const since = first.migration?.since;
  let answer = first;
  let told = '';
  while (answer.migration !== null && answer.migration.since === since) {
    const text = migrationText(answer.id, answer.migration);
    if (text !== told) tell(text);
    told = text;
    await delay(pollMs);
    answer = await client.get<FullAgent>(`${path}?consistency=leader`);
  }
  const end = answer.migration_end;
  if (since !== undefined && end?.since === since) {
    throw new CommandRefused(
      `${answer.id} was not moved: ${end.reason}. Its state is unchanged. Move it again, or elsewhere.`,
    );
  }
  return answer;
}
