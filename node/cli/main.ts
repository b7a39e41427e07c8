import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { agentJson } from '../api/views.ts';
import { Client, type ClientOptions } from './client.ts';
import { readModule } from './deploy.ts';
import { down } from './down.ts';
import { eventLine, followEvents } from './events.ts';
import { homeDirectory, openHome } from './home.ts';
import { kill } from './kill.ts';
import { exitCodes, print, printError } from './output.ts';
import { type AgentJson, agentsTable, nodesTable, type StatusJson, statusText } from './status.ts';
import { signToken } from './token.ts';
import { clusterNameDefault, standardConsole, up } from './up.ts';

type FullAgent = ReturnType<typeof agentJson>;
type Globals = ClientOptions & { json?: boolean };

const console = standardConsole;

/** A whole number within bounds, or a usage error that says so. */
const whole = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
};

const program = new Command('conclave')
  .description('Long-lived, stateful agents on containers, without a central manager.')
  .version(readVersion())
  .option('--name <cluster>', 'the cluster', clusterNameDefault)
  .option('--admin <url>', 'talk to this node (default: all nodes that "up" started)')
  .addOption(new Option('--token <jwt>', 'bearer token (default: made with the key that "up" keeps)').hideHelp())
  .option('--json', 'one JSON object instead of text')
  .showSuggestionAfterError()
  .configureHelp({ showGlobalOptions: true })
  .addHelpText(
    'after',
    `
Examples:
  conclave up 5
  conclave deploy examples/trading --count 5 --strategy least_loaded
  conclave task trading-1 '{"symbol":"MSFT","price":39.81}'
  conclave kill node-2
  conclave events --follow

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no node answers.`,
  );

const globals = (): Globals => program.opts();

/** Runs a command that talks to the cluster; prints what it refused. */
async function withClient(work: (client: Client, options: Globals) => Promise<void>): Promise<void> {
  const options = globals();
  try {
    await work(await Client.open(options), options);
  } catch (error) {
    process.exitCode = printError(console, options.json, error);
  }
}

function registerFleet(): void {
  program
    .command('up')
    .argument('<count>', 'how many nodes', whole(1, 100))
    .description('start a cluster, or what is missing of it')
    .option('--port <port>', 'admin port of the first node', whole(1, 65_535), 8000)
    .option('--processes', 'local processes, not containers')
    .option('--docker', 'containers, and nothing else')
    .option('--timeout <seconds>', 'wait this long for the cluster', whole(1, 3_600), 60)
    .action(async (count: number, options) => {
      const { name, json } = globals();
      process.exitCode = await up(count, { ...options, name, json, timeoutMs: options.timeout * 1_000 });
    });
  program
    .command('down')
    .description('remove everything that "up" made, with its data, and nothing else')
    .action(async () => {
      process.exitCode = await down(globals());
    });
  program
    .command('kill')
    .argument('<node>', 'name, or beginning or end of an id')
    .description('end a node at once (SIGKILL)')
    .action(async (node: string) => {
      process.exitCode = await kill(node, globals());
    });
  program
    .command('token')
    .description('print a bearer token for the HTTP API')
    .action(async () => {
      try {
        const token = await signToken(openHome(homeDirectory(globals().name)));
        print(console, globals().json, { token }, () => token);
      } catch (error) {
        process.exitCode = printError(console, globals().json, error);
      }
    });
}

function registerViews(): void {
  program
    .command('status')
    .description('nodes, leader, term, agents, load')
    .action(() =>
      withClient(async (client, { json }) => {
        const status = await client.get<StatusJson>('/status');
        print(console, json, status, () => statusText(status));
      }),
    );
  program
    .command('nodes')
    .description('the nodes')
    .action(() =>
      withClient(async (client, { json }) => {
        const { nodes } = await client.get<{ nodes: StatusJson['nodes'] }>('/nodes');
        print(console, json, { nodes }, () => nodesTable(nodes));
      }),
    );
  program
    .command('agents')
    .description('the agents')
    .action(() =>
      withClient(async (client, { json }) => {
        const { agents } = await client.get<{ agents: AgentJson[] }>('/agents');
        print(console, json, { agents }, () => agentsTable(agents));
      }),
    );
  program
    .command('events')
    .description('what happened')
    .option('--follow', 'go on as things happen')
    .option('--since <index>', 'begin behind this log index', whole(0, Number.MAX_SAFE_INTEGER), 0)
    .action(({ follow, since }) =>
      withClient(async (client, { json }) => {
        const abort = new AbortController();
        process.once('SIGINT', () => {
          abort.abort();
          process.exit(130);
        });
        if (follow) return followEvents(client, console, { since, json, signal: abort.signal });
        const reports = await client.get<Parameters<typeof eventLine>[0][]>(`/events?follow=false&since=${since}`);
        print(console, json, { events: reports }, () => reports.map(eventLine).join('\n'));
      }),
    );
}

function registerAgents(): void {
  program
    .command('deploy')
    .argument('<folder-or-type>', 'a folder with an agent.ts, or a type that the cluster has')
    .description('place agents')
    .option('--count <n>', 'how many', whole(1, 1_000), 1)
    .option('--strategy <name>', 'round_robin or least_loaded', 'least_loaded')
    .option('--capability <name...>', 'what the node must offer')
    .option('--holders <n>', 'nodes that keep the state', whole(1, 5), 3)
    .option('--as <name>', 'name, or beginning of the names')
    .action((argument: string, options) =>
      withClient(async (client, { json }) => {
        const { type, source } = await readModule(argument);
        const answer = await client.post<{ agents: FullAgent[] }>('/agents/deploy', {
          agent_type: type,
          deployment_strategy: options.strategy,
          count: options.count,
          holders: options.holders,
          ...(source !== undefined && { source }),
          ...(options.as !== undefined && { name: options.as }),
          ...(options.capability !== undefined && { capabilities: options.capability }),
        });
        print(console, json, answer, () => agentsTable(answer.agents));
      }),
    );
  program
    .command('task')
    .argument('<agent>')
    .argument('<json>', 'the task')
    .description('give an agent a task and print its answer')
    .option('--id <id>', 'the same id twice takes effect once')
    .option('--ttl <ms>', 'give up after this long', whole(1, 600_000), 30_000)
    .action((agent: string, text: string, { id, ttl }) => {
      const payload = parseJson(text);
      return withClient(async (client, { json }) => {
        const body = { payload, ttl_ms: ttl, ...(id !== undefined && { id }) };
        const answer = await client.post<{ result: unknown }>(`/agents/${encodeURIComponent(agent)}/tasks`, body);
        print(console, json, answer, () => JSON.stringify(answer.result, null, 2));
      });
    });
  program
    .command('state')
    .argument('<agent>')
    .description("print an agent's state")
    .action((agent: string) =>
      withClient(async (client, { json }) => {
        const answer = await client.get<{ state: unknown }>(`/agents/${encodeURIComponent(agent)}/state`);
        print(console, json, answer, () => JSON.stringify(answer.state, null, 2));
      }),
    );
  program
    .command('agent')
    .argument('<agent>')
    .description('where an agent is, and why')
    .action((agent: string) =>
      withClient(async (client, { json }) => {
        const answer = await client.get<FullAgent>(`/agents/${encodeURIComponent(agent)}`);
        print(console, json, answer, () => agentText(answer));
      }),
    );
  program
    .command('migrate')
    .argument('<agent>')
    .argument('<node>', 'name or id')
    .description('move an agent, with its state')
    .action((agent: string, node: string) =>
      withClient(async (client, { json }) => {
        const answer = await client.post<{ agent: FullAgent }>(`/agents/${encodeURIComponent(agent)}/migrate`, { target: node });
        print(console, json, answer, () => agentsTable([answer.agent]));
      }),
    );
  program
    .command('delete')
    .argument('<agent>')
    .description('remove an agent and its state')
    .action((agent: string) =>
      withClient(async (client, { json }) => {
        const answer = await client.delete<{ agent: string }>(`/agents/${encodeURIComponent(agent)}`);
        print(console, json, answer, () => `${answer.agent} deleted`);
      }),
    );
}

function agentText(agent: FullAgent): string {
  const lines = [agentsTable([agent])];
  for (const { name, score, why } of agent.decision?.ranked ?? []) lines.push(`  ${name}: ${why} (score ${score.toFixed(2)})`);
  for (const { name, reason } of agent.decision?.rejected ?? []) lines.push(`  not ${name}: ${reason}`);
  return lines.join('\n');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return program.error(`error: the task is not JSON: ${(error as Error).message}`, { exitCode: exitCodes.usage });
  }
}

function readVersion(): string {
  const file = new URL('./build.json', import.meta.url);
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return 'unbuilt';
  }
}

/** Wrong usage ends with 2, as scripts expect; help and version with 0. */
function exitOnUsage(command: Command): void {
  command.exitOverride((error: CommanderError) => process.exit(error.exitCode === 0 ? 0 : exitCodes.usage));
  for (const child of command.commands) exitOnUsage(child);
}

registerFleet();
registerViews();
registerAgents();
exitOnUsage(program);
await program.parseAsync();
