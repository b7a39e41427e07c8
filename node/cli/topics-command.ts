import type { Command } from 'commander';
import type { agentJson } from '../api/views.ts';
import { pathOf } from './agent-path.ts';
import { UsageError } from './command-error.ts';
import { print } from './output.ts';
import type { Session } from './session.ts';

/** `conclave topics`: sets to which topics what is sent comes to an agent, too. */
export function registerTopics(program: Command, session: Session): void {
  program
    .command('topics')
    .argument('<agent>')
    .argument('[topic...]', 'all that it is to have from here on, in place of those it has')
    .description('set the topics of an agent: what is sent to them comes to it, too')
    .option('--none', 'it is to have no topics any more')
    .addHelpText('after', '\nExamples:\n  conclave topics trading-1 prices trades\n  conclave topics trading-1 --none')
    .action((agent: string, topics: string[], { none }: { none?: boolean }) =>
      session.withClient(async (client, { json }) => {
        if ((none === true) === topics.length > 0) {
          throw new UsageError(
            'An agent gets either topics or none. Nothing was changed. Name all that it is to have, or give --none.',
          );
        }
        const path = pathOf(agent, '/topics');
        const answer = (await client.put<{ agent: ReturnType<typeof agentJson> }>(path, { topics })).agent;
        print(session.console, json, answer, () =>
          answer.topics.length === 0
            ? `${agent} has no topics any more.`
            : `${agent} has the topics ${answer.topics.join(', ')}.`,
        );
      }),
    );
}
