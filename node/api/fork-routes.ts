import type { FastifyRequest } from 'fastify';
import { errors } from '../core/errors.ts';
import { type Api, agentOf, base, perform, type Route, read } from './routes.ts';
import { AgentParams, ForkParams, ReadQuery } from './schemas.ts';
import { branchJson, forkText } from './views.ts';

const url = `${base}/agents/:agent/forks`;

/** A fork's name is the branch's id and the number under which it ended. */
function forkIn(request: FastifyRequest): { agent: string; fork: string; number: number } {
  const { agent, fork: name } = request.params as ForkParams;
  const [fork = '', number = ''] = name.split('.');
  if (!/^\d{1,16}$/.test(number)) throw errors.forkUnknown({ agent, fork: name });
  return { agent, fork, number: Number(number) };
}

/** What branches did that is no part of their agents' histories. */
export const forkRoutes: readonly Route[] = [
  {
    method: 'GET',
    url,
    params: AgentParams,
    querystring: ReadQuery,
    async handle(api: Api, request, reply) {
      const { consistency } = request.query as ReadQuery;
      const agent = agentOf(request);
      const view = await read(api, { type: 'agent', agent, ...(consistency !== undefined && { consistency }) }, reply);
      return { agent, forks: (view.branches ?? []).filter(({ end }) => end?.outcome === 'forked').map(branchJson) };
    },
  },
  {
    method: 'GET',
    url: `${url}/:fork`,
    params: ForkParams,
    handle: async (api, request) => forkText(await perform(api, { type: 'fork', ...forkIn(request) })),
  },
  {
    method: 'DELETE',
    url: `${url}/:fork`,
    params: ForkParams,
    async handle(api, request) {
      const wanted = forkIn(request);
      await perform(api, { type: 'forkDelete', ...wanted });
      return { agent: wanted.agent, fork: (request.params as ForkParams).fork };
    },
  },
];
