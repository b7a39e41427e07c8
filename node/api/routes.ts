import type { FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { ConclaveError, type ErrorBody, errors } from '../core/errors.ts';
import type { NodeView, Operation, OperationType, Outcome, Results } from '../core/operation.ts';
import { whatIsWrong } from '../core/operation-check.ts';
import { limits } from '../core/settings.ts';
import { runtimeOf } from '../core/type-capability.ts';
import type { EventStream } from './event-stream.ts';
import type { ReportSource } from './report-log.ts';
import {
  AgentParams,
  DeployBody,
  DrainBody,
  EventsQuery,
  idPattern,
  MigrateBody,
  NodeParams,
  ReadQuery,
  RecoverBody,
  TopicsBody,
} from './schemas.ts';
import type { TaskStreams } from './task-stream.ts';
import { runtimeIn } from './type-code.ts';
import { agentJson, lossJson, nodeDrainJson, nodeJson, reportJson, stateText, statusJson, waitsJson } from './views.ts';

/** What the routes work with. */
export interface Api {
  /** `progress` hears what a task says before it is done. */
  ask(operation: Operation, progress?: (number: number, value: Uint8Array) => void): Promise<Outcome>;
  reports: ReportSource;
  events: EventStream;
  taskStreams: TaskStreams;
  ready(): { ready: boolean; reason: string };
  builtinTypes: ReadonlyMap<string, string>;
  /** Headers that every answer carries. */
  headers(): Record<string, string>;
}

export interface Route {
  method: HTTPMethods & ('GET' | 'POST' | 'PUT' | 'DELETE');
  url: string;
  /** Answers without a token. */
  open?: boolean;
  params?: object;
  body?: object;
  querystring?: object;
  /** The value to send as JSON; text is JSON already. May throw a `ConclaveError`. */
  handle(api: Api, request: FastifyRequest, reply: FastifyReply): unknown;
}

export const base = '/api/v1/cluster';
const stateTtlMs = 10_000;
/** Characters at the end of a node's id that are enough to mean it. */
const idPartMin = 6;

/** Has the node do it; what it refuses is thrown as the error that it gave. */
export async function perform<T extends OperationType>(api: Api, operation: Extract<Operation, { type: T }>) {
  const wrong = whatIsWrong(operation);
  if (wrong !== undefined) throw errors.bodyMalformed({ reason: wrong });
  const outcome = (await api.ask(operation)) as Outcome<T>;
  if (outcome.ok) return outcome.result as Results[T];
  throw thrown(outcome.error);
}

function thrown({ code, message, details }: ErrorBody): ConclaveError {
  return new ConclaveError(code, 0, message, details);
}

/** The same for what is read; the answer's headers say up to where in the log it holds, and how old it may be. */
export async function read<T extends OperationType>(
  api: Api,
  operation: Extract<Operation, { type: T }>,
  reply: FastifyReply,
) {
  const wrong = whatIsWrong(operation);
  if (wrong !== undefined) throw errors.bodyMalformed({ reason: wrong });
  const outcome = (await api.ask(operation)) as Outcome<T>;
  if (!outcome.ok) throw thrown(outcome.error);
  const { index, ageMs } = outcome.asOf ?? {};
  if (index !== undefined) reply.header('conclave-log-index', index);
  if (ageMs !== undefined) reply.header('conclave-age-ms', ageMs);
  return outcome.result as Results[T];
}

/** `?consistency=`, when it is given. */
export function consistencyIn(request: FastifyRequest): ReadQuery {
  const { consistency } = request.query as ReadQuery;
  return consistency === undefined ? {} : { consistency };
}

export const agentOf = (request: FastifyRequest): string => (request.params as AgentParams).agent;

/** The node of that id, that name, or with an id that ends so: a live one before a dead one of the same name. */
export function findNode(nodes: readonly NodeView[], wanted: string): NodeView {
  const byId = nodes.find((node) => node.id === wanted);
  if (byId !== undefined) return byId;
  const meant = nodes.filter(
    (node) => node.name === wanted || (wanted.length >= idPartMin && node.id.endsWith(wanted)),
  );
  const alive = meant.filter((node) => node.membership === 'alive');
  const [found, second] = alive.length > 0 ? alive : meant;
  if (found === undefined) throw errors.nodeUnknown({ node: wanted });
  if (second === undefined) return found;
  const ids = meant.map((node) => node.id).join(', ');
  throw errors.bodyMalformed({ reason: `"${wanted}" means more than one node; give one of the ids ${ids}` });
}

/** The id of the node that the path names. */
async function nodeIn(api: Api, request: FastifyRequest): Promise<string> {
  return findNode(await perform(api, { type: 'nodes' }), (request.params as NodeParams).node).id;
}

/** The header `Idempotency-Key`, by which a request that is sent twice takes effect once. */
export function idempotencyKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && new RegExp(idPattern).test(key)) return key;
  throw errors.bodyMalformed({
    reason: 'the header "idempotency-key" is not 1 to 128 letters, digits and "._:-", beginning with a letter or digit',
  });
}

/** Throws `bodyTooLarge`. */
export function refuseAbove(bytesMax: number, bytes: number, what: string): void {
  if (bytes > bytesMax) throw errors.bodyTooLarge({ what, bytesMax });
}

function toDeploy(api: Api, request: FastifyRequest): Extract<Operation, { type: 'deploy' }> {
  const body = request.body as DeployBody;
  const runtime = runtimeIn(body);
  const builtin = runtime.container === undefined ? api.builtinTypes.get(body.agent_type) : undefined;
  const source = body.source ?? builtin;
  if (source !== undefined) refuseAbove(limits.sourceBytesMax, Buffer.byteLength(source), '"source"');
  const key = idempotencyKey(request);
  const capabilities = new Set([...(body.capabilities ?? []), ...(body.required_capabilities ?? [])]);
  return {
    type: 'deploy',
    ...(key === undefined ? {} : { request: key }),
    agentType: body.agent_type,
    ...(source === undefined ? {} : { source }),
    ...(source !== undefined && source !== body.source && { builtin: true }),
    ...runtimeOf(runtime),
    ...(body.isolation === undefined ? {} : { isolation: body.isolation }),
    ...(body.name === undefined ? {} : { name: body.name }),
    count: body.count,
    strategy: body.deployment_strategy,
    capabilities: [...capabilities],
    holders: body.holders,
    ...(body.topics === undefined ? {} : { topics: body.topics }),
    ...(body.partition === undefined ? {} : { partition: body.partition }),
  };
}

/** Every route of the API. docs/api.md lists the same ones; a test compares the two. */
export const routes: readonly Route[] = [
  { method: 'GET', url: '/health/live', open: true, handle: () => ({ live: true }) },
  {
    method: 'GET',
    url: '/health/ready',
    open: true,
    handle(api, _request, reply) {
      const { ready, reason } = api.ready();
      if (!ready) reply.code(503).header('retry-after', '1');
      return { ready, reason };
    },
  },
  {
    method: 'GET',
    url: `${base}/status`,
    querystring: ReadQuery,
    handle: async (api, request, reply) =>
      statusJson(await read(api, { type: 'status', ...consistencyIn(request) }, reply)),
  },
  {
    method: 'GET',
    url: `${base}/nodes`,
    querystring: ReadQuery,
    handle: async (api, request, reply) => ({
      nodes: (await read(api, { type: 'nodes', ...consistencyIn(request) }, reply)).map(nodeJson),
    }),
  },
  {
    method: 'GET',
    url: `${base}/nodes/:node`,
    params: NodeParams,
    querystring: ReadQuery,
    async handle(api, request, reply) {
      const nodes = await read(api, { type: 'nodes', ...consistencyIn(request) }, reply);
      return nodeJson(findNode(nodes, (request.params as NodeParams).node));
    },
  },
  {
    method: 'GET',
    url: `${base}/nodes/:node/drain`,
    params: NodeParams,
    querystring: ReadQuery,
    async handle(api, request, reply) {
      const nodes = await read(api, { type: 'nodes', ...consistencyIn(request) }, reply);
      return nodeDrainJson(findNode(nodes, (request.params as NodeParams).node));
    },
  },
  {
    method: 'POST',
    url: `${base}/nodes/:node/drain`,
    params: NodeParams,
    body: DrainBody,
    async handle(api, request) {
      const wanted = await nodeIn(api, request);
      const { deadline_ms: deadlineMs } = request.body as DrainBody;
      const operation = { type: 'drain' as const, node: wanted, ...(deadlineMs !== undefined && { deadlineMs }) };
      return nodeDrainJson((await perform(api, operation)).node);
    },
  },
  {
    method: 'DELETE',
    url: `${base}/nodes/:node/drain`,
    params: NodeParams,
    handle: async (api, request) =>
      nodeDrainJson((await perform(api, { type: 'undrain', node: await nodeIn(api, request) })).node),
  },
  {
    method: 'POST',
    url: `${base}/nodes/:node/lead`,
    params: NodeParams,
    async handle(api, request) {
      const { node, from } = await perform(api, { type: 'lead', node: await nodeIn(api, request) });
      return { node, from };
    },
  },
  {
    method: 'GET',
    url: `${base}/agents`,
    querystring: ReadQuery,
    handle: async (api, request, reply) => ({
      agents: (await read(api, { type: 'agents', ...consistencyIn(request) }, reply)).map(agentJson),
    }),
  },
  {
    method: 'POST',
    url: `${base}/agents/deploy`,
    body: DeployBody,
    async handle(api, request, reply) {
      const { agents } = await perform(api, toDeploy(api, request));
      const views = agents.map(agentJson);
      reply.code(201);
      return { agents: views, agent: views[0] ?? null };
    },
  },
  {
    method: 'GET',
    url: `${base}/agents/:agent`,
    params: AgentParams,
    querystring: ReadQuery,
    handle: async (api, request, reply) =>
      agentJson(await read(api, { type: 'agent', agent: agentOf(request), ...consistencyIn(request) }, reply)),
  },
  {
    method: 'DELETE',
    url: `${base}/agents/:agent`,
    params: AgentParams,
    handle: async (api, request) => {
      const { agent } = await perform(api, { type: 'delete', agent: agentOf(request) });
      return { agent };
    },
  },
  {
    method: 'GET',
    url: `${base}/agents/:agent/state`,
    params: AgentParams,
    handle: async (api, request) =>
      stateText(await perform(api, { type: 'state', agent: agentOf(request), ttlMs: stateTtlMs })),
  },
  {
    method: 'POST',
    url: `${base}/agents/:agent/migrate`,
    params: AgentParams,
    body: MigrateBody,
    async handle(api, request) {
      const { target: name, wait } = request.body as MigrateBody;
      const target = findNode(await perform(api, { type: 'nodes' }), name).id;
      const operation = { type: 'migrate' as const, agent: agentOf(request), target };
      const { agent } = await perform(api, wait === undefined ? operation : { ...operation, wait });
      return { agent: agentJson(agent) };
    },
  },
  {
    method: 'DELETE',
    url: `${base}/agents/:agent/migration`,
    params: AgentParams,
    handle: async (api, request) => {
      const { agent } = await perform(api, { type: 'cancelMigration', agent: agentOf(request) });
      return { agent: agentJson(agent) };
    },
  },
  {
    method: 'PUT',
    url: `${base}/agents/:agent/topics`,
    params: AgentParams,
    body: TopicsBody,
    async handle(api, request) {
      const { topics } = request.body as TopicsBody;
      const { agent } = await perform(api, { type: 'setTopics', agent: agentOf(request), topics });
      return { agent: agentJson(agent) };
    },
  },
  {
    method: 'POST',
    url: `${base}/agents/:agent/recover`,
    params: AgentParams,
    body: RecoverBody,
    async handle(api, request) {
      const { from, epoch, sequence } = request.body as RecoverBody;
      const named = from === undefined ? {} : { from: findNode(await perform(api, { type: 'nodes' }), from).id };
      const operation = { type: 'recoverAgent' as const, agent: agentOf(request), ...named, epoch, sequence };
      const { agent, text, waits, ...loss } = await perform(api, operation);
      return { agent, text, ...lossJson(loss), waits: waitsJson(waits) };
    },
  },
  {
    method: 'GET',
    url: `${base}/events`,
    querystring: EventsQuery,
    handle(api, request, reply) {
      const query = request.query as EventsQuery;
      const resumed = request.headers['last-event-id'];
      const since = typeof resumed === 'string' && /^\d{1,15}$/.test(resumed) ? resumed : (query.since ?? '0');
      if (query.follow === 'false') return api.reports.since(Number(since)).map(reportJson);
      api.events.admit();
      reply.hijack();
      api.events.follow(reply.raw, api.headers(), Number(since));
      return undefined;
    },
  },
];
