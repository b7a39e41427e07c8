import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { nodeDrainJson } from '../api/views.ts';
import type { Client } from './client.ts';
import { CommandRefused } from './command-error.ts';
import { print } from './output.ts';
import type { Session } from './session.ts';
import { whole } from './whole-number.ts';

type DrainJson = ReturnType<typeof nodeDrainJson>;

interface DrainOptions {
  deadline?: number;
  wait?: boolean;
  undo?: boolean;
}

const pollMs = 300;
const deadlineMaxS = 7 * 24 * 3_600;

/** `conclave drain`: moves everything away from a node, or takes that back. */
export function registerDrain(program: Command, session: Session): void {
  program
    .command('drain')
    .argument('<node>', 'name, id, or the end of an id')
    .description('move everything away from a node, which takes nothing new; then it may be switched off')
    .option('--deadline <seconds>', 'say so if it takes longer', whole(1, deadlineMaxS))
    .option('--wait', 'until it is done; exit code 1 when it takes longer than the deadline')
    .option('--undo', 'take it back, at any time')
    .addHelpText('after', '\nExamples:\n  conclave drain node-3 --deadline 60 --wait\n  conclave drain node-3 --undo')
    .action((node: string, { deadline, wait, undo }: DrainOptions) =>
      session.withClient(async (client, { json }) => {
        const path = `/nodes/${encodeURIComponent(node)}/drain`;
        const body = deadline === undefined ? {} : { deadline_ms: deadline * 1_000 };
        let answer = undo ? await client.delete<DrainJson>(path) : await client.post<DrainJson>(path, body);
        if (wait && !undo) answer = await untilOver(client, answer, (text) => session.console.err.write(`${text}\n`));
        print(session.console, json, answer, () => drainText(answer));
      }),
    );
}

/** Tells what it waits for whenever that changes. Throws `CommandRefused` when it is overdue or was undone. */
async function untilOver(client: Client, first: DrainJson, tell: (text: string) => void): Promise<DrainJson> {
  let answer = first;
  let told = '';
  for (;;) {
    const { drain, name, status } = answer;
    if (status === 'left' || drain?.done) return answer;
    if (drain === null)
      throw new CommandRefused(`The drain of ${name} was undone meanwhile. What has moved stays where it is now.`);
    if (drain.overdue) {
      throw new CommandRefused(
        `${name} is not drained in time; it waits for ${drain.waits_for.join('; ')}. The drain goes on, and what is left ` +
          `runs where it is meanwhile. Make room for it, or "conclave drain ${name} --undo".`,
      );
    }
    const text = drainText(answer);
    if (text !== told) tell(text);
    told = text;
    await delay(pollMs);
    answer = await client.get<DrainJson>(`/nodes/${answer.id}/drain?consistency=leader`);
  }
}

function drainText({ name, status, drain }: DrainJson): string {
  if (status === 'left') return `${name} left.`;
  if (drain === null) return `${name} is not draining: it takes agents again.`;
  const kept = drain.kept.map((what) => `\n  keeps ${what}`).join('');
  if (drain.done) return `${name} is drained: it may be switched off.${kept}`;
  const late = drain.overdue ? ', longer than it should take' : '';
  const waits = drain.waits_for.map((what) => `\n  waits for ${what}`).join('');
  const left = `agents that are left: ${drain.agents}, states of others: ${drain.states}`;
  return `${name} is draining${late}; ${left}${waits}${kept}`;
}
