import { ConclaveError, type ErrorBody, errors, statusOf, toErrorBody } from '../core/errors.ts';
import { snakeKeys } from './views.ts';

/** Largest request body, bytes. */
export const bodyBytesMax = 1024 * 1024;

/** What fastify throws, as far as this looks at it. */
interface FrameworkError extends Error {
  code?: string;
  statusCode?: number;
  validationContext?: string;
  validation?: readonly { instancePath: string; message?: string; params: Record<string, unknown> }[];
}

/** How a failed request is answered. */
export interface Problem {
  status: number;
  headers: Record<string, string>;
  body: { error: { code: string; message: string; details: Record<string, unknown> } };
}

/** The answer for anything that was thrown; what is not in the table of errors becomes `internal`. */
export function problemOf(error: unknown): Problem {
  return asProblem(toErrorBody(error instanceof ConclaveError ? error : fromFramework(error as FrameworkError)));
}

export function asProblem({ code, message, details }: ErrorBody): Problem {
  const status = statusOf(code) || 500;
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = `Bearer realm="conclave"${invalidToken(code)}`;
  if (status === 429 || status === 503) headers['retry-after'] = String(retryAfterS(details));
  return { status, headers, body: { error: { code, message, details: snakeKeys(details) } } };
}

/** Whole seconds, as the header has them: RFC 9110, section 10.2.3. */
const retryAfterS = ({ retryAfterMs }: Record<string, unknown>): number =>
  typeof retryAfterMs === 'number' ? Math.max(1, Math.ceil(retryAfterMs / 1_000)) : 1;

/** RFC 6750, section 3.1: no error code when no token was sent. */
const invalidToken = (code: string): string => (code === 'tokenInvalid' ? ', error="invalid_token"' : '');

function fromFramework(error: FrameworkError): ConclaveError {
  if (error.validation !== undefined) return errors.bodyMalformed({ reason: whichField(error) });
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return errors.bodyTooLarge({ what: 'request body', bytesMax: bodyBytesMax });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return errors.bodyMalformed({ reason: 'the header "content-type" is not application/json' });
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return errors.bodyMalformed({ reason: 'the body is empty' });
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return errors.bodyMalformed({ reason: 'the body is not valid JSON' });
  }
  const status = error.statusCode ?? 500;
  return status >= 400 && status < 500
    ? errors.bodyMalformed({ reason: error.message })
    : errors.internal({ reason: error.message });
}

/** Says which part of the request is wrong, by its name: `count must be <= 1000`. */
function whichField({ validation, validationContext, message }: FrameworkError): string {
  const first = validation?.[0];
  if (first === undefined) return message;
  const missing = first.params['missingProperty'];
  if (typeof missing === 'string') return `"${missing}" is missing`;
  const path = first.instancePath.slice(1).replaceAll('/', '.');
  const where = path === '' ? `the ${validationContext === 'querystring' ? 'query' : validationContext}` : `"${path}"`;
  return `${where} ${first.message}`;
}
