import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { CommandRefused } from './command-error.ts';
import { print } from './output.ts';
import type { Session } from './session.ts';
import type { StatusJson } from './status.ts';

interface Begun {
  node: string;
  from: string;
}

const pollMs = 50;
/** An election that another node won instead is over by then. */
const withinMs = 3_000;

/** `conclave lead`: a voter takes the leadership over from whoever has it. */
export function registerLead(program: Command, session: Session): void {
  program
    .command('lead')
    .argument('<node>', 'name, id, or the end of an id')
    .description('have another node lead; nothing waits for an election, as when the leader is lost')
    .addHelpText('after', '\nExample:\n  conclave lead node-2')
    .action((wanted: string) =>
      session.withClient(async (client, { json }) => {
        const { node, from } = await client.post<Begun>(`/nodes/${encodeURIComponent(wanted)}/lead`, {});
        const untilMs = performance.now() + withinMs;
        let status = await client.get<StatusJson>('/status');
        while (status.leader?.id !== node && performance.now() < untilMs) {
          await delay(pollMs);
          status = await client.get<StatusJson>('/status');
        }
        const { leader } = status;
        const nameOf = (id: string): string => status.nodes.find((one) => one.id === id)?.name ?? id;
        if (leader?.id !== node) {
          throw new CommandRefused(
            `${nameOf(node)} was to lead, but ${leader?.name ?? 'nobody'} does. Nothing else was changed. Try again.`,
          );
        }
        const text =
          node === from
            ? `${leader.name} led already.`
            : `${leader.name} leads in place of ${nameOf(from)}, in term ${leader.term}.`;
        print(session.console, json, { leader, from }, () => text);
      }),
    );
}
