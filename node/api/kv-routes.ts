import type { FastifyRequest } from 'fastify';
import { limits } from '../core/settings.ts';
import { perform, type Route, read, refuseAbove } from './routes.ts';
import { KvListQuery, KvWriteQuery, ReadQuery } from './schemas.ts';

const base = '/api/v1/kv';
/** The log index of the key's last change. */
const indexHeader = 'conclave-index';
const bytes = 'application/octet-stream';
const nothing = new Uint8Array(0);

function conditionOf(request: FastifyRequest): { ifIndex?: number } {
  const { 'if-index': ifIndex } = request.query as KvWriteQuery;
  return ifIndex === undefined ? {} : { ifIndex: Number(ifIndex) };
}

const keyOf = (request: FastifyRequest): string => (request.params as { '*': string })['*'];

/** Keys and values. Their bodies are bytes; the server must not read them as anything else. */
export const kvRoutes: readonly Route[] = [
  {
    method: 'GET',
    url: base,
    querystring: KvListQuery,
    async handle(api, request, reply) {
      const { prefix = '', after, consistency = 'linearizable' } = request.query as KvListQuery;
      const operation = { type: 'kvList' as const, prefix, consistency, ...(after === undefined ? {} : { after }) };
      const { keys, next } = await read(api, operation, reply);
      return { keys, next: next ?? null };
    },
  },
  {
    method: 'GET',
    url: `${base}/*`,
    querystring: ReadQuery,
    async handle(api, request, reply) {
      const { consistency = 'linearizable' } = request.query as ReadQuery;
      const { value, index } = await read(api, { type: 'kvGet', key: keyOf(request), consistency }, reply);
      reply.type(bytes).header(indexHeader, index);
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    },
  },
  {
    method: 'PUT',
    url: `${base}/*`,
    querystring: KvWriteQuery,
    async handle(api, request, reply) {
      const value = (request.body ?? nothing) as Uint8Array;
      refuseAbove(limits.kvValueBytesMax, value.byteLength, 'value');
      const operation = { type: 'kvPut' as const, key: keyOf(request), value, ...conditionOf(request) };
      const { key, index } = await perform(api, operation);
      reply.header(indexHeader, index);
      return { key, index };
    },
  },
  {
    method: 'DELETE',
    url: `${base}/*`,
    querystring: KvWriteQuery,
    async handle(api, request) {
      const { key, index, deleted } = await perform(api, {
        type: 'kvDelete',
        key: keyOf(request),
        ...conditionOf(request),
      });
      return { key, index, deleted };
    },
  },
];
