import type { FastifyRequest } from 'fastify';
import type { RolloutEnd } from '../core/rollout.ts';
import type { RolloutView, TypeView } from '../core/rollout-view.ts';
import { limits } from '../core/settings.ts';
import { runtimeOf } from '../core/type-capability.ts';
import { type Api, base, consistencyIn, idempotencyKey, perform, type Route, read, refuseAbove } from './routes.ts';
import { ReadQuery, TypeParams, UpgradeBody } from './schemas.ts';
import { runtimeIn } from './type-code.ts';

const typeOf = (request: FastifyRequest): string => (request.params as TypeParams).type;

function rolloutJson({ sinceMs, maxFailures, settleMs, reason, failed, agents, ...rollout }: RolloutView) {
  const { since, from, to, phase, counts } = rollout;
  return {
    since,
    since_ms: sinceMs,
    from,
    to,
    phase,
    max_failures: maxFailures,
    settle_ms: settleMs,
    reason: reason ?? null,
    failed_agent: failed ?? null,
    counts,
    agents: agents.map((agent) => ({ ...agent, reason: agent.reason ?? null })),
  };
}

/** A type as it is told; what is unknown is `null`. */
export function typeJson({ type, runtime, version, previous, versions, rollout, rolloutEnd }: TypeView) {
  return {
    type,
    runtime,
    version,
    previous_version: previous ?? null,
    versions,
    rollout: rollout === undefined ? null : rolloutJson(rollout),
    rollout_end: rolloutEnd === undefined ? null : endJson(rolloutEnd),
  };
}

function endJson({ since, from, to, outcome, reason, failed, stays, left = [] }: RolloutEnd) {
  return { since, from, to, outcome, reason, failed_agent: failed ?? null, stays, left };
}

async function upgrade(api: Api, request: FastifyRequest) {
  const body = request.body as UpgradeBody;
  const runtime = runtimeIn(body);
  const { source } = body;
  if (source !== undefined) refuseAbove(limits.sourceBytesMax, Buffer.byteLength(source), '"source"');
  const key = idempotencyKey(request);
  const { type } = await perform(api, {
    type: 'upgrade',
    agentType: typeOf(request),
    ...(key !== undefined && { request: key }),
    ...(source !== undefined && { source }),
    ...runtimeOf(runtime),
    ...(body.previous === true && { previous: true }),
    ...(body.max_failures !== undefined && { maxFailures: body.max_failures }),
    ...(body.settle_ms !== undefined && { settleMs: body.settle_ms }),
  });
  return typeJson(type);
}

/** The routes about types and the versions of their code. */
export const typeRoutes: readonly Route[] = [
  {
    method: 'GET',
    url: `${base}/types`,
    querystring: ReadQuery,
    handle: async (api, request, reply) => ({
      types: (await read(api, { type: 'agentTypes', ...consistencyIn(request) }, reply)).map(typeJson),
    }),
  },
  {
    method: 'GET',
    url: `${base}/types/:type`,
    params: TypeParams,
    querystring: ReadQuery,
    handle: async (api, request, reply) =>
      typeJson(await read(api, { type: 'agentType', agentType: typeOf(request), ...consistencyIn(request) }, reply)),
  },
  {
    method: 'POST',
    url: `${base}/types/:type/upgrade`,
    params: TypeParams,
    body: UpgradeBody,
    handle: (api, request) => upgrade(api, request),
  },
  {
    method: 'DELETE',
    url: `${base}/types/:type/upgrade`,
    params: TypeParams,
    handle: async (api, request) =>
      typeJson((await perform(api, { type: 'cancelUpgrade', agentType: typeOf(request) })).type),
  },
];
