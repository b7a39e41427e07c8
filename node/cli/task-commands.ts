import type { Command } from 'commander';
import type { agentTasksJson } from '../api/views.ts';
import { pathOf } from './agent-path.ts';
import { CommandRefused, UsageError } from './command-error.ts';
import { colors, print, tableOf } from './output.ts';
import type { Session } from './session.ts';
import { whole } from './whole-number.ts';

type AgentTasksJson = ReturnType<typeof agentTasksJson>;

interface Answered {
  result: unknown;
  branch?: string;
}

/** Says on the error stream, where people read, that an answer is not the majority's. */
export function sayProvisional(session: Session, json: boolean | undefined, { branch }: { branch?: string }): void {
  if (branch === undefined || json === true) return;
  session.console.err.write(
    `${colors.yellow(`provisional: branch ${branch} of the agent did it, on a side without a majority`)}\n`,
  );
}

interface TaskOptions {
  id?: string;
  ttlMs: number;
  priority: number;
  key?: string;
  follow?: boolean;
}

interface TasksOptions {
  retry?: string;
  cancel?: string;
  ttlMs: number;
}

const ttlDefaultMs = 30_000;

/** The commands that are about the tasks of agents. */
export function registerTaskCommands(program: Command, session: Session): void {
  program
    .command('task')
    .argument('<agent>')
    .argument('<json>', 'the task; put -- before it when it begins with a dash')
    .description('give an agent a task and print the result')
    .option('--id <id>', 'the same id twice takes effect once (default: a new one)')
    .option('--ttl-ms <ms>', 'give up after this long', whole(1, 600_000), ttlDefaultMs)
    .option('--priority <n>', '0 to 9, higher ones first', whole(0, 9), 5)
    .option('--key <key>', 'tasks of one key are done in the order in which a node took them')
    .option('--follow', 'print what the task says on its way, a line each')
    .addHelpText(
      'after',
      '\nExamples:\n  conclave task counter \'{"add":1}\' --id order-17\n' +
        '  conclave task counter \'{"add":1}\' --priority 9 --key customer-4\n' +
        "  conclave task report '{}' --follow --ttl-ms 600000",
    )
    .action((agent: string, text: string, options: TaskOptions) => giveTask(session, agent, text, options));
  program
    .command('publish')
    .argument('<topic>')
    .argument('<json>', 'the task; put -- before it when it begins with a dash')
    .description('give a task to every agent with a topic')
    .option('--id <id>', 'the same id twice takes effect once at each (default: a new one)')
    .option('--ttl-ms <ms>', 'give up after this long', whole(1, 600_000), ttlDefaultMs)
    .addHelpText('after', '\nExample:\n  conclave publish prices \'{"MSFT":39.81}\'')
    .action((topic: string, text: string, options: { id?: string; ttlMs: number }) =>
      publish(session, topic, text, options),
    );
  program
    .command('tasks')
    .argument('<agent>')
    .description('what an agent has to do, and the tasks that are set aside because they kept ending it')
    .option('--retry <task>', 'try a task that is set aside once more, and print its result')
    .option('--cancel <task>', 'end a task without an effect: one that waits, runs, or is set aside')
    .option('--ttl-ms <ms>', 'give up the retry after this long', whole(1, 600_000), ttlDefaultMs)
    .addHelpText(
      'after',
      '\nExamples:\n  conclave tasks trading-1\n  conclave tasks trading-1 --retry order-17\n  conclave tasks trading-1 --cancel order-17',
    )
    .action((agent: string, options: TasksOptions) => agentTasks(session, agent, options));
}

function giveTask(session: Session, agent: string, text: string, options: TaskOptions): Promise<void> {
  const { id, ttlMs, priority, key, follow } = options;
  return session.withClient(async (client, { json }) => {
    const body = {
      ...{ payload: parseTask(text), ttl_ms: ttlMs, priority },
      ...(id !== undefined && { id }),
      ...(key !== undefined && { key }),
    };
    const path = pathOf(agent, '/tasks');
    const { out } = session.console;
    const answer =
      follow === true
        ? await client.follow<Answered>(path, body, ttlMs, (said) =>
            out.write(
              json === true ? `${JSON.stringify({ progress: said })}\n` : `${colors.gray(JSON.stringify(said))}\n`,
            ),
          )
        : await client.post<Answered>(path, body, ttlMs);
    sayProvisional(session, json, answer);
    print(session.console, json, answer, () => JSON.stringify(answer.result, null, 2));
  });
}

interface PublishedJson {
  agents: { ok: boolean; agent: string; result?: unknown; error?: { code: string; message: string } }[];
}

function publish(session: Session, topic: string, text: string, { id, ttlMs }: { id?: string; ttlMs: number }) {
  return session.withClient(async (client, { json }) => {
    const body = { payload: parseTask(text), ttl_ms: ttlMs, ...(id !== undefined && { id }) };
    const answer = await client.post<PublishedJson>(`/topics/${encodeURIComponent(topic)}`, body, ttlMs);
    print(session.console, json, answer, () => {
      if (answer.agents.length === 0)
        return `No agent subscribes to "${topic}": nobody was told. Deploy one with --topic ${topic}.`;
      const rows = answer.agents.map(({ agent, ok, result, error }) => [
        agent,
        ok ? JSON.stringify(result) : `${error?.code}: ${error?.message}`,
      ]);
      return tableOf(['agent', 'answer'], rows);
    });
    if (answer.agents.some(({ ok }) => !ok))
      throw new CommandRefused('Not every agent has done it. Send it again with the same --id.');
  });
}

function agentTasks(session: Session, agent: string, { retry, cancel, ttlMs }: TasksOptions): Promise<void> {
  const { console } = session;
  return session.withClient(async (client, { json }) => {
    if (retry !== undefined && cancel !== undefined) {
      throw new UsageError(
        'A task is either tried again or cancelled. Nothing was changed. Give one of --retry and --cancel.',
      );
    }
    if (retry !== undefined) {
      const path = pathOf(agent, `/tasks/${encodeURIComponent(retry)}/retry`);
      const answer = await client.post<{ result: unknown }>(path, { ttl_ms: ttlMs }, ttlMs);
      print(console, json, answer, () => JSON.stringify(answer.result, null, 2));
    } else if (cancel !== undefined) {
      const answer = await client.delete<{ task: string; was: string }>(
        pathOf(agent, `/tasks/${encodeURIComponent(cancel)}`),
      );
      print(console, json, answer, () => cancelledText(answer));
    } else {
      const answer = await client.get<AgentTasksJson>(pathOf(agent, '/tasks'));
      print(console, json, answer, () => tasksText(answer));
    }
  });
}

function cancelledText({ task, was }: { task: string; was: string }): string {
  const when: Record<string, string> = {
    waiting: 'before it began',
    running: 'while it ran',
    setAside: 'and is no longer set aside',
    cancelled: 'before this request',
  };
  return `${task} was cancelled ${when[was] ?? was}. It has no effect.`;
}

function tasksText(tasks: AgentTasksJson): string {
  const { running, waiting, first, silent_nodes: silent, set_aside: setAside, mean_task_ms: meanTaskMs } = tasks;
  const now = running === null ? 'No task runs' : `${running.task} runs, for ${running.for_ms} ms so far`;
  const more = waiting > first.length ? ` (the first ${first.length} are shown)` : '';
  const lines = [`${now}; waiting: ${waiting}${more}; a task takes ${meanTaskMs} ms on average.`];
  if (silent > 0) {
    lines.push(`${silent} ${silent === 1 ? 'node' : 'nodes'} did not say in time what waits there; look again.`);
  }
  if (first.length > 0) {
    const rows = first.map(({ task, priority, key, door_name: door }) => [
      task,
      String(priority),
      key,
      door ?? 'its host',
    ]);
    lines.push('', tableOf(['waiting', 'priority', 'key', 'at'], rows));
  }
  if (setAside.length > 0) {
    const rows = setAside.map(({ task, tries, reason, bytes }) => [task, String(tries), String(bytes), reason]);
    lines.push(
      '',
      tableOf(['set aside', 'tries', 'bytes', 'because'], rows),
      'Give one another try with --retry, or drop it with --cancel.',
    );
  }
  return lines.join('\n');
}

function parseTask(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(
      `The task is not JSON: ${(error as Error).message}. Nothing was sent. Quote it for the shell.`,
    );
  }
}
