import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { agentJson } from '../api/views.ts';
import type { Isolation } from '../core/isolation.ts';
import type { Partition } from '../core/partition.ts';
import { pathOf } from './agent-path.ts';
import type { Client } from './client.ts';
import { readModule } from './deploy.ts';
import { registerForks } from './forks.ts';
import { registerMigrate } from './migrate.ts';
import { print } from './output.ts';
import { registerRecoverAgent } from './recover-agent.ts';
import type { Session } from './session.ts';
import { agentsTable, agentText } from './status.ts';
import { registerTaskCommands, sayProvisional } from './task-commands.ts';
import { registerTopics } from './topics-command.ts';
import { registerUpgrade } from './upgrade.ts';
import { whole } from './whole-number.ts';

/** As the API takes them. */
const isolations: Isolation[] = ['agent', 'type'];
const partitions: Partition[] = ['fenced', 'autonomous'];

/** A leader hears what holders have within some 50 ms. */
const failuresPauseMs = 60;
const failuresTries = 10;

type FullAgent = ReturnType<typeof agentJson>;

interface DeployOptions {
  count: number;
  strategy: string;
  capability?: string[];
  holders: number;
  topic?: string[];
  as?: string;
  isolation?: Isolation;
  partition?: Partition;
}

/** The commands that are about agents. */
export function registerAgentCommands(program: Command, session: Session): void {
  registerDeploy(program, session);
  registerMigrate(program, session);
  registerTopics(program, session);
  registerUpgrade(program, session);
  registerRecoverAgent(program, session);
  registerTaskCommands(program, session);
  registerForks(program, session);
  const { console } = session;
  program
    .command('agent')
    .argument('<agent>')
    .description('where an agent is, and why there')
    .action((agent: string) =>
      session.withClient(async (client, { json }) => {
        const answer = await client.getFromLeader<FullAgent>(pathOf(agent));
        print(console, json, answer, () => agentText(answer));
      }),
    );
  program
    .command('state')
    .argument('<agent>')
    .description("print an agent's state; base64 when it is not JSON")
    .action((agent: string) =>
      session.withClient(async (client, { json }) => {
        const answer = await client.get<{ encoding: string; state: unknown; branch?: string }>(pathOf(agent, '/state'));
        const { encoding, state } = answer;
        sayProvisional(session, json, answer);
        print(console, json, answer, () => (encoding === 'base64' ? String(state) : JSON.stringify(state, null, 2)));
      }),
    );
  program
    .command('delete')
    .argument('<agent>')
    .description('remove an agent and its state')
    .action((agent: string) =>
      session.withClient(async (client, { json }) => {
        const answer = await client.delete<{ agent: string }>(pathOf(agent));
        print(console, json, answer, () => `${answer.agent} is deleted.`);
      }),
    );
}

function registerDeploy(program: Command, session: Session): void {
  program
    .command('deploy')
    .argument(
      '<folder-or-type>',
      'a folder with an agent.ts, .js, .mjs, .py or .json in it, or a type that the cluster knows',
    )
    .description('place agents')
    .option('--count <n>', 'how many', whole(1, 1_000), 1)
    .option('--strategy <name>', 'how to choose nodes: a strategy, or several as name=weight,…', 'least_loaded')
    .option('--capability <name...>', 'what a node must offer, also with a version: gpu>=2')
    .option('--topic <name...>', 'what is sent to these topics comes to it, too')
    .option('--holders <n>', 'nodes that keep the state', whole(1, 5), 3)
    .option('--as <name>', 'name of the agent, or beginning of the names of several (default: the type)')
    .addOption(
      new Option('--isolation <what>', 'what has a thread of its own: each agent, or only each type').choices(
        isolations,
      ),
    )
    .addOption(
      new Option(
        '--partition <policy>',
        'without a majority: it waits, or goes on as a branch (default: fenced)',
      ).choices(partitions),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  conclave deploy examples/trading --count 5\n  conclave deploy examples/conversation\n  conclave deploy counter --as clicks --capability gpu',
    )
    .action((argument: string, options: DeployOptions) =>
      session.withClient(async (client, { json }) => {
        const { type, source, interpreter, container } = await readModule(argument);
        const { count, strategy, capability, holders, topic, as, isolation, partition } = options;
        const answer = await client.post<{ agents: FullAgent[] }>('/agents/deploy', {
          agent_type: type,
          deployment_strategy: strategy,
          count,
          holders,
          ...(topic !== undefined && { topics: topic }),
          ...(source !== undefined && { source }),
          ...(interpreter !== undefined && { runtime: 'process', interpreter }),
          ...(container !== undefined && { runtime: 'container', container }),
          ...(isolation !== undefined && { isolation }),
          ...(partition !== undefined && { partition }),
          ...(as !== undefined && { name: as }),
          ...(capability !== undefined && { capabilities: capability }),
        });
        const agents = await withFailures(client, answer.agents);
        print(session.console, json, { ...answer, agents }, () => agentsTable(agents));
      }),
    );
}

/** With how many failures each can take, which is known a moment after they began, when its holders have everything. */
async function withFailures(client: Client, deployed: FullAgent[]): Promise<FullAgent[]> {
  const known = new Map<string, FullAgent>();
  const isWhole = ({ id, holders }: FullAgent): boolean => (known.get(id)?.failures?.caught_up ?? -1) >= holders.length;
  for (let i = 0; i < failuresTries && !deployed.every(isWhole); i++) {
    await delay(failuresPauseMs);
    const { agents } = await client.getFromLeader<{ agents: FullAgent[] }>('/agents');
    for (const agent of agents) known.set(agent.id, agent);
  }
  return deployed.map((agent) => ({ ...agent, failures: known.get(agent.id)?.failures ?? agent.failures }));
}
