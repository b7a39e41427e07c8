import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { typeJson } from '../api/type-routes.ts';
import type { Client } from './client.ts';
import { CommandRefused, UsageError } from './command-error.ts';
import { readModule } from './deploy.ts';
import { colors, print, tableOf } from './output.ts';
import type { Session } from './session.ts';
import { whole } from './whole-number.ts';

type TypeJson = ReturnType<typeof typeJson>;

interface UpgradeOptions {
  wait?: boolean;
  cancel?: boolean;
  rollback?: boolean;
  maxFailures?: number;
  settleMs?: number;
}

const pollMs = 200;
const pathOf = (type: string, rest = ''): string => `/types/${encodeURIComponent(type)}${rest}`;

/** `conclave upgrade`, `type` and `types`: new versions of agents' code. */
export function registerUpgrade(program: Command, session: Session): void {
  program
    .command('upgrade')
    .argument('<folder-or-type>', 'a folder with the new code; with --cancel or --rollback the type is enough')
    .description(
      "roll a new version of a type's code out to its agents, one after the other; it goes back when one fails",
    )
    .option('--wait', 'until all agents run it, and tell how far it is; exit code 1 when it goes back')
    .option('--cancel', 'take a rollout back that is under way')
    .option('--rollback', 'roll the version before the present one out')
    .option('--max-failures <n>', 'so often an agent may fail while it is watched (default: 2)', whole(0, 100))
    .option('--settle-ms <ms>', 'so long each has to hold before the next (default: 10000)', whole(1, 3_600_000))
    .addHelpText(
      'after',
      '\nExamples:\n  conclave upgrade examples/trading --wait\n  conclave upgrade trading --cancel\n  conclave upgrade trading --rollback --settle-ms 2000',
    )
    .action((argument: string, options: UpgradeOptions) =>
      session.withClient(async (client, { json }) => {
        const tell = (text: string): void => void session.console.err.write(`${text}\n`);
        let answer = await begin(client, argument, options);
        if (options.wait) answer = await untilOver(client, answer, options.cancel === true, tell);
        print(session.console, json, answer, () => typeText(answer));
      }),
    );
  program
    .command('type')
    .argument('<type>')
    .description('the versions of a type, and how far a rollout is')
    .action((type: string) =>
      session.withClient(async (client, { json }) => {
        const answer = await client.get<TypeJson>(`${pathOf(type)}?consistency=leader`);
        print(session.console, json, answer, () => typeText(answer));
      }),
    );
  program
    .command('types')
    .description('the types of agents')
    .action(() =>
      session.withClient(async (client, { json }) => {
        const answer = await client.get<{ types: TypeJson[] }>('/types');
        print(session.console, json, answer, () => typesTable(answer.types));
      }),
    );
}

async function begin(client: Client, argument: string, options: UpgradeOptions): Promise<TypeJson> {
  const { cancel, rollback, maxFailures, settleMs } = options;
  if (cancel && rollback) throw new UsageError('Give --cancel or --rollback, not both. Nothing was changed.');
  const { type, source, interpreter, container } = await readModule(argument);
  if (cancel) return client.delete<TypeJson>(pathOf(type, '/upgrade'));
  const isCode = source !== undefined || container !== undefined;
  if (!isCode && !rollback) {
    throw new UsageError(`Say what to upgrade ${type} to: conclave upgrade <folder>. Nothing was changed.`);
  }
  const code = {
    ...(source !== undefined && { source }),
    ...(interpreter !== undefined && { runtime: 'process', interpreter }),
    ...(container !== undefined && { runtime: 'container', container }),
  };
  return client.post<TypeJson>(pathOf(type, '/upgrade'), {
    ...(rollback ? { previous: true } : code),
    ...(maxFailures !== undefined && { max_failures: maxFailures }),
    ...(settleMs !== undefined && { settle_ms: settleMs }),
  });
}

/** Tells how far it has come whenever that changes. Throws `CommandRefused` when it went back without being told to. */
async function untilOver(
  client: Client,
  first: TypeJson,
  isCancelled: boolean,
  tell: (text: string) => void,
): Promise<TypeJson> {
  const since = first.rollout?.since;
  let answer = first;
  let told = '';
  while (answer.rollout !== null && answer.rollout.since === since) {
    const text = rolloutText(answer);
    if (text !== told) tell(text);
    told = text;
    await delay(pollMs);
    answer = await client.get<TypeJson>(`${pathOf(answer.type)}?consistency=leader`);
  }
  const end = answer.rollout_end;
  if (!isCancelled && end !== null && end.since === since && end.outcome === 'rolledBack') {
    const stays = end.stays.length === 0 ? '' : ` ${end.stays.map(({ agent }) => agent).join(', ')} could not go back.`;
    throw new CommandRefused(
      `Version ${end.to} of ${answer.type} was rolled back: ${end.failed_agent ?? 'it'}: ${end.reason}.${stays} ` +
        'The agents go on with what they had. Mend the code and upgrade again.',
    );
  }
  return answer;
}

function rolloutText({ type, rollout }: TypeJson): string {
  if (rollout === null) return '';
  const counts = Object.entries(rollout.counts).map(([progress, count]) => `${count} ${progress.replace('_', ' ')}`);
  const way = rollout.phase === 'forward' ? 'is rolled out' : `goes back (${rollout.reason})`;
  return `version ${rollout.to} of ${type} ${way}: ${counts.join(', ')}`;
}

function typesTable(types: readonly TypeJson[]): string {
  if (types.length === 0) return 'No types yet: conclave deploy examples/trading';
  const rows = types.map(({ type, runtime, version, versions, rollout }) => [
    type,
    runtime,
    String(version),
    versions.map((each) => `${each.agents} on ${each.version}`).join(', '),
    rollout === null ? '-' : colors.yellow(`version ${rollout.to}, ${rollout.phase}`),
  ]);
  return tableOf(['type', 'runtime', 'version', 'agents', 'rollout'], rows);
}

/** A type, and how far each agent has come that is not there yet. */
function typeText(type: TypeJson): string {
  const { rollout, rollout_end: end } = type;
  const lines = [typesTable([type])];
  if (rollout !== null) {
    lines.push(rolloutText(type));
    for (const { agent, version, progress, reason } of rollout.agents) {
      lines.push(
        `  ${agent} (version ${version}): ${progress.replace('_', ' ')}${reason === null ? '' : `: ${reason}`}`,
      );
    }
  } else if (end !== null) {
    const because = end.failed_agent === null ? '' : ` because of ${end.failed_agent}`;
    const how = end.outcome === 'complete' ? 'was rolled out' : `was rolled back${because}: ${end.reason}`;
    lines.push(`version ${end.to} ${how}`);
    for (const { agent, reason } of end.stays) lines.push(`  ${agent} stays on version ${end.to}: ${reason}`);
    for (const { agent, reason } of end.left) lines.push(`  ${agent} keeps the version that it has: ${reason}`);
  }
  return lines.join('\n');
}
