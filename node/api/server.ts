import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { errors } from '../core/errors.ts';
import type { NodeId } from '../core/message.ts';
import type { LeaderView } from '../core/operation.ts';
import { BearerCheck } from './bearer.ts';
import { answerClientError } from './client-error.ts';
import { EventStream, type EventStreamLimits, eventStreamLimits } from './event-stream.ts';
import { forkRoutes } from './fork-routes.ts';
import { kvRoutes } from './kv-routes.ts';
import { bodyBytesMax, type Problem, problemOf } from './problem.ts';
import { type Api, type Route, routes } from './routes.ts';
import { taskRoutes } from './task-routes.ts';
import { type TaskStreamLimits, TaskStreams, taskStreamLimits } from './task-stream.ts';
import { typeRoutes } from './type-routes.ts';
import { toSafeJson } from './views.ts';

export interface ServerInit extends Pick<Api, 'ask' | 'reports' | 'ready'> {
  /** The node that serves; every answer names it. */
  self: NodeId;
  /** The leader as far as this node knows; every answer names it. */
  leader(): LeaderView | undefined;
  /** Public key (SPKI, PEM) that bearer tokens are checked against. */
  tokenPublicKeyPem: string;
  /** Agent types that come with the program: name → module text. */
  builtinTypes: ReadonlyMap<string, string>;
  /** Takes what an operator should know. Neither tokens nor bodies are in it. */
  log(text: string, details: Record<string, unknown>): void;
  eventStream?: Partial<EventStreamLimits>;
  taskStreams?: Partial<TaskStreamLimits>;
}

/** Receiving a request takes no longer than this; its handling has a deadline of its own. */
const receiveTimeoutMs = 30_000;
const paramLengthMax = 256;
const json = 'application/json; charset=utf-8';

/**
 * The HTTP API of one node. It listens when `listen` is called and answers `inject` without a socket. Throws when the
 * key is not one.
 */
export async function createServer(init: ServerInit): Promise<FastifyInstance> {
  const bearer = await BearerCheck.create(init.tokenPublicKeyPem);
  const events = new EventStream(init.reports, { ...eventStreamLimits, ...init.eventStream });
  const headers = (): Record<string, string> => {
    const leader = init.leader();
    return {
      'x-conclave-node': init.self,
      ...(leader === undefined ? {} : { 'x-conclave-leader': leader.id }),
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    };
  };
  const { ask, reports, ready, builtinTypes } = init;
  const taskStreams = new TaskStreams({ ...taskStreamLimits, ...init.taskStreams });
  const api: Api = { ask, reports, ready, builtinTypes, events, taskStreams, headers };
  const server = Fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    requestTimeout: receiveTimeoutMs,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    clientErrorHandler: (error, socket) => answerClientError(error, socket, headers(), receiveTimeoutMs),
    routerOptions: { maxParamLength: paramLengthMax },
    // What is not of the stated type is refused rather than bent into shape.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: true } },
    frameworkErrors: (error, _request, reply) => {
      // No hook runs for a request that no route could be sought for.
      send(reply.headers(headers()) as unknown as FastifyReply, problemOf(error));
    },
  });
  server.removeContentTypeParser('text/plain');
  server.setReplySerializer(toSafeJson);
  server.addHook('onSend', (_request, reply, _payload, done) => {
    reply.headers(headers());
    done();
  });
  server.addHook('preClose', async () => {
    events.close();
    taskStreams.close();
  });
  server.setNotFoundHandler((request, reply) => {
    const { method, url } = request;
    send(reply, problemOf(errors.routeUnknown({ method, path: pathOf(url) })));
  });
  server.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500 && problem.status !== 503) {
      const { code, message } = problem.body.error;
      init.log('a request failed', { method: request.method, path: pathOf(request.url), code, message });
    }
    send(reply, problem);
  });
  for (const route of [...routes, ...taskRoutes, ...forkRoutes, ...typeRoutes]) register(server, route, api, bearer);
  await server.register(async (raw) => {
    // Values are bytes, whatever their type is said to be.
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    for (const route of kvRoutes) register(raw, route, api, bearer);
  });
  return server;
}

function register(server: FastifyInstance, route: Route, api: Api, bearer: BearerCheck): void {
  const { method, url, open, params, body, querystring } = route;
  server.route({
    method,
    url,
    schema: { ...(params && { params }), ...(body && { body }), ...(querystring && { querystring }) },
    // Before the body is read: a stranger cannot make the node hold one.
    ...(open ? {} : { onRequest: (request, _reply, done) => admit(bearer, request.headers.authorization, done) }),
    handler: async (request, reply) => {
      const answer = await route.handle(api, request, reply);
      if (reply.sent) return reply;
      if (!reply.hasHeader('content-type')) reply.type(json);
      return reply.send(answer);
    },
  });
}

/** At once for a token that is known, as most are. */
function admit(bearer: BearerCheck, header: string | undefined, done: (error?: Error) => void): void {
  if (bearer.knows(header)) done();
  else void admitStranger(bearer, header, done);
}

async function admitStranger(bearer: BearerCheck, header: string | undefined, done: (error?: Error) => void) {
  let refusal: Error | undefined;
  try {
    await bearer.check(header);
  } catch (error) {
    refusal = error as Error;
  }
  done(refusal);
}

function send(reply: FastifyReply, { status, headers, body }: Problem): void {
  void reply.code(status).headers(headers).type(json).send(body);
}

/** Without the query, in which someone may have put a secret. */
function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}
