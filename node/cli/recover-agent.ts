import type { Command } from 'commander';
import type { agentJson, lossJson } from '../api/views.ts';
import { pathOf } from './agent-path.ts';
import { CommandRefused, UsageError } from './command-error.ts';
import { print } from './output.ts';
import type { Session } from './session.ts';
import { stuckText } from './stuck-text.ts';

type FullAgent = ReturnType<typeof agentJson>;

interface Recovered extends ReturnType<typeof lossJson> {
  agent: string;
  text: string;
}

const checkpointPattern = /^(\d{1,15}):(\d{1,15})$/;

/** `conclave recover-agent`: shows what is left of an agent most of whose holders are missing, and lets it go on from that. */
export function registerRecoverAgent(program: Command, session: Session): void {
  program
    .command('recover-agent')
    .argument('<agent>')
    .description(
      'let an agent go on whose holders are mostly lost, from what the others keep; without options: what that is',
    )
    .option('--from <node>', 'the node whose checkpoint it goes on from (default: the one with the newest)')
    .option('--accept-loss <epoch:step>', 'the checkpoint, as it is shown; what was acknowledged after it is lost')
    .addHelpText(
      'after',
      '\nExamples:\n  conclave recover-agent trading-1\n  conclave recover-agent trading-1 --accept-loss 42:1337',
    )
    .action((agent: string, { from, acceptLoss }: { from?: string; acceptLoss?: string }) =>
      session.withClient(async (client, { json }) => {
        const { console } = session;
        const path = pathOf(agent);
        if (acceptLoss === undefined) {
          const answer = await client.get<FullAgent>(`${path}?consistency=leader`);
          if (answer.stuck !== null) return print(console, json, answer, () => stuckText(answer.id, answer.stuck));
          throw new CommandRefused(
            `${agent} is ${answer.status}, and recovered by itself if need be. Nothing was changed. There is nothing to do.`,
          );
        }
        const [, epoch, sequence] = checkpointPattern.exec(acceptLoss) ?? [];
        if (epoch === undefined) {
          throw new UsageError('Name the checkpoint as it is shown, as in --accept-loss 42:1337.');
        }
        const body = { accept_loss: true, epoch: Number(epoch), sequence: Number(sequence), ...(from && { from }) };
        const answer = await client.post<Recovered>(`${path}/recover`, body);
        print(
          console,
          json,
          answer,
          () => `${answer.agent} goes on from step ${sequence} of epoch ${epoch}: ${answer.text}.`,
        );
      }),
    );
}
