import { Command, CommanderError, Option } from 'commander';
import { registerAgentCommands } from './agent-commands.ts';
import type { Client } from './client.ts';
import { down } from './down.ts';
import { registerDrain } from './drain.ts';
import { eventLine, followEvents, type ReportJson } from './events.ts';
import { homeDirectory, openHome } from './home.ts';
import { kill } from './kill.ts';
import { registerKvCommands } from './kv-commands.ts';
import { registerLead } from './lead.ts';
import { exitCodes, print } from './output.ts';
import { registerRecoverCommand } from './recover.ts';
import { type Globals, Session } from './session.ts';
import { registerSimCommand } from './sim.ts';
import { type AgentJson, agentsTable, nodesTable, type StatusJson, statusText } from './status.ts';
import { signToken } from './token.ts';
import { type Console, clusterNameDefault, standardConsole, type UpOptions, up } from './up.ts';
import { readVersion } from './version.ts';
import { whole } from './whole-number.ts';

const upTimeoutS = 60;
const interruptedCode = 130;

const examples = `
Examples:
  conclave up 5
  conclave deploy examples/trading --count 5 --strategy least_loaded
  conclave task trading-1 '{"symbol":"MSFT","price":39.81}'
  conclave kill node-2
  conclave events --follow

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 the cluster cannot be reached.
CONCLAVE_ADMIN and CONCLAVE_TOKEN stand for --admin and --token.`;

/** Runs one command line, without the program's name; resolves with the exit code. */
export async function runCommandLine(argv: readonly string[], console: Console = standardConsole): Promise<number> {
  const program = new Command('conclave');
  const session = new Session(console, () => program.opts<Globals>());
  program
    .description('Long-lived, stateful agents on containers, without a central manager.')
    .version(readVersion())
    .option('--name <cluster>', 'the cluster', clusterNameDefault)
    .option('--admin <url,...>', 'talk to these nodes (default: all that "up" started)')
    .option('--token <jwt>', 'bearer token (default: one made with the key that "up" keeps)')
    .option('--timeout <seconds>', `go on trying this long (default: 15, up: ${upTimeoutS})`, whole(1, 3_600))
    .option('--json', 'print one JSON object instead of text')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void console.out.write(text),
      writeErr: (text) => void console.err.write(text),
    })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', examples);
  registerFleetCommands(program, session);
  registerViewCommands(program, session);
  registerAgentCommands(program, session);
  registerDrain(program, session);
  registerLead(program, session);
  registerKvCommands(program, session);
  registerSimCommand(program, session);
  registerRecoverCommand(program, session);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end with 0; everything else that commander ends is wrong usage.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return session.exitCode;
}

function registerFleetCommands(program: Command, session: Session): void {
  const { console } = session;
  program
    .command('up')
    .argument('<count>', 'how many nodes', whole(1, 100))
    .description('start a cluster, or what is missing of it')
    // Without a default here: a cluster that is there has its ports.
    .option('--port <port>', 'admin port of the first node, when it is made (default: 8000)', whole(1, 65_535))
    .option('--processes', 'local processes, not containers')
    .option('--docker', 'containers, and nothing else')
    .option(
      '--base <image>',
      "in Docker: the image with Node, and what else agents need, that the nodes' own is built on",
    )
    .option('--interpreters <name=path...>', 'programs that may run agents as processes, as the nodes find them')
    .option('--containers <image...>', 'images that may run as agents: gives the nodes the engine, so as good as root')
    .addHelpText(
      'after',
      '\nExamples:\n  conclave up 5\n  conclave up 5 --docker --interpreters node=/usr/local/bin/node\n' +
        '  conclave up 5 --docker --containers conversation-agent:1',
    )
    .action(async (count: number, options: UpOptions) => {
      const { name, json, timeout = upTimeoutS } = session.globals;
      session.exitCode = await up(count, { ...options, name, json, timeoutMs: timeout * 1_000 }, console);
    });
  program
    .command('down')
    .description('remove everything that "up" made, with its data, and nothing else')
    .action(async () => {
      const { name, json } = session.globals;
      session.exitCode = await down({ name, json }, console);
    });
  program
    .command('kill')
    .argument('<node>', 'name, or the beginning or end of an id')
    .description('end a node at once (SIGKILL)')
    .action(async (node: string) => {
      const { name, json } = session.globals;
      session.exitCode = await kill(node, { name, json }, console);
    });
  program
    .command('token')
    .description('print a bearer token for the HTTP API, valid for 12 hours')
    .addHelpText(
      'after',
      '\nExample:\n  curl -H "Authorization: Bearer $(conclave token)" http://127.0.0.1:8000/api/v1/cluster/status',
    )
    .action(() =>
      session.run(async ({ name, json }) => {
        const token = await signToken(openHome(homeDirectory(name)));
        print(console, json, { token }, () => token);
      }),
    );
}

interface Reading {
  consistency?: string;
}

/** Without it a node says what it has: fast, needs no leader, and may be a moment behind. */
const consistencyOption = (): Option =>
  new Option('--consistency <how>', 'what the answer may miss (default: what the node has)').choices([
    'linearizable',
    'leader',
    'stale',
  ]);

const queryOf = ({ consistency }: Reading): string => (consistency === undefined ? '' : `?consistency=${consistency}`);

/** Of agents the leader knows the most: without a word on consistency it is asked first. */
const readOf = <T>(client: Client, path: string, given: Reading): Promise<T> =>
  given.consistency === undefined ? client.getFromLeader<T>(path) : client.get<T>(`${path}${queryOf(given)}`);

function registerViewCommands(program: Command, session: Session): void {
  const { console } = session;
  program
    .command('status')
    .description('leader, nodes and agents')
    .addOption(consistencyOption())
    .action((given: Reading) =>
      session.withClient(async (client, { json }) => {
        const status = await readOf<StatusJson>(client, '/status', given);
        print(console, json, status, () => statusText(status));
      }),
    );
  program
    .command('nodes')
    .description('the nodes')
    .addOption(consistencyOption())
    .action((given: Reading) =>
      session.withClient(async (client, { json }) => {
        const answer = await client.get<{ nodes: StatusJson['nodes'] }>(`/nodes${queryOf(given)}`);
        print(console, json, answer, () => nodesTable(answer.nodes));
      }),
    );
  program
    .command('agents')
    .description('the agents')
    .addOption(consistencyOption())
    .action((given: Reading) =>
      session.withClient(async (client, { json }) => {
        const answer = await readOf<{ agents: AgentJson[] }>(client, '/agents', given);
        print(console, json, answer, () => agentsTable(answer.agents));
      }),
    );
  program
    .command('events')
    .description('what happened, as far as one node still knows')
    .option('--follow', 'go on as things happen, from another node when one dies')
    .option('--since <index>', 'begin behind this log index', whole(0, 999_999_999_999_999), 0)
    .addHelpText('after', '\nExamples:\n  conclave events --since 120\n  conclave events --follow --json | jq .text')
    .action(({ follow, since }: { follow?: boolean; since: number }) =>
      session.withClient(async (client, { json }) => {
        if (follow)
          return untilInterrupted(session, (signal) => followEvents(client, console, { since, json, signal }));
        const events = await client.get<ReportJson[]>(`/events?follow=false&since=${since}`);
        print(console, json, { events }, () => events.map(eventLine).join('\n') || 'Nothing has happened yet.');
      }),
    );
}

async function untilInterrupted(session: Session, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const interrupt = (): void => {
    session.exitCode = interruptedCode;
    abort.abort();
  };
  process.once('SIGINT', interrupt);
  try {
    await work(abort.signal);
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}
