import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { errors } from '../core/errors.ts';
import type { AgentView, TaskOperation } from '../core/operation.ts';
import { whatIsWrong } from '../core/operation-check.ts';
import { limits } from '../core/settings.ts';
import { problemOf } from './problem.ts';
import { type Api, agentOf, base, idempotencyKey, perform, type Route, refuseAbove } from './routes.ts';
import { AgentParams, RetryBody, TaskBody, TaskParams, TopicParams } from './schemas.ts';
import { agentTasksJson, taskText, toSafeJson } from './views.ts';

const url = `${base}/agents/:agent/tasks`;
/** What asks or tells about tasks is answered at once by a host that is there. */
const shortTtlMs = 10_000;

const taskOf = (request: FastifyRequest): string => (request.params as TaskParams).task;

function toTask(request: FastifyRequest, agent: string): TaskOperation {
  const { id, payload, ttl_ms: ttlMs, priority, key } = request.body as TaskBody;
  const task = id ?? idempotencyKey(request) ?? randomUUID();
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  refuseAbove(limits.payloadBytesMax, bytes.byteLength, '"payload"');
  const operation = { type: 'task' as const, agent, task, payload: bytes, ttlMs, priority };
  return { ...operation, ...(key !== undefined && { key }) };
}

const wantsStream = ({ headers }: FastifyRequest): boolean => headers.accept?.includes('text/event-stream') === true;

/** One agent's answer among several, JSON. */
async function answerOf(api: Api, operation: TaskOperation): Promise<string> {
  try {
    const text = taskText(await perform(api, operation));
    return `{"ok":true,${text.slice(1)}`;
  } catch (error) {
    return toSafeJson({ ok: false, agent: operation.agent, task: operation.task, ...problemOf(error).body });
  }
}

/** What keeps the leader from telling of all agents. */
const fromHere: ReadonlySet<string> = new Set(['leaderUnknown', 'answerTooLarge']);

/** As the leader knows them: this node may not have heard yet of the newest. In a minority there are those that it knows. */
async function everyAgent(api: Api): Promise<AgentView[]> {
  try {
    return await perform(api, { type: 'agents', consistency: 'leader' });
  } catch (error) {
    if (!fromHere.has(problemOf(error).body.error.code)) throw error;
    return perform(api, { type: 'agents' });
  }
}

/** What is done with the tasks of an agent. */
export const taskRoutes: readonly Route[] = [
  {
    method: 'POST',
    url,
    params: AgentParams,
    body: TaskBody,
    async handle(api, request, reply) {
      const operation = toTask(request, agentOf(request));
      if (!wantsStream(request)) return taskText(await perform(api, operation));
      const wrong = whatIsWrong(operation);
      if (wrong !== undefined) throw errors.bodyMalformed({ reason: wrong });
      api.taskStreams.admit();
      reply.hijack();
      await api.taskStreams.run(reply.raw, api.headers(), (progress) =>
        api.ask({ ...operation, progress: true }, progress),
      );
      return undefined;
    },
  },
  {
    method: 'GET',
    url,
    params: AgentParams,
    handle: async (api, request) =>
      agentTasksJson(await perform(api, { type: 'tasks', agent: agentOf(request), ttlMs: shortTtlMs })),
  },
  {
    method: 'POST',
    url: `${url}/:task/retry`,
    params: TaskParams,
    body: RetryBody,
    async handle(api, request) {
      const { ttl_ms: ttlMs } = request.body as RetryBody;
      // A request that is sent again is the same wish.
      const retry = idempotencyKey(request) ?? randomUUID();
      const operation = { type: 'task' as const, agent: agentOf(request), task: taskOf(request), ttlMs, retry };
      return taskText(await perform(api, { ...operation, payload: new Uint8Array(0) }));
    },
  },
  {
    method: 'POST',
    url: `${base}/topics/:topic`,
    params: TopicParams,
    body: TaskBody,
    async handle(api, request) {
      const { topic } = request.params as TopicParams;
      const operation = toTask(request, '');
      const agents = (await everyAgent(api)).filter(({ topics }) => topics.includes(topic));
      const told = await Promise.all(agents.map(({ id }) => answerOf(api, { ...operation, agent: id })));
      const head = `"topic":${JSON.stringify(topic)},"task":${JSON.stringify(operation.task)},"count":${told.length}`;
      return `{${head},"agents":[${told.join(',')}]}`;
    },
  },
  {
    method: 'DELETE',
    url: `${url}/:task`,
    params: TaskParams,
    handle: async (api, request) =>
      perform(api, { type: 'taskCancel', agent: agentOf(request), task: taskOf(request), ttlMs: shortTtlMs }),
  },
];
