import { type ConclaveError, type ErrorBody, errors } from './errors.ts';

/** What an applied command did: what to tell people, and which agents it touched. */
export type Applied =
  | { ok: true; kind: string; text: string; details: Record<string, unknown>; agents: string[] }
  | { ok: false; error: ConclaveError };

export const done = (kind: string, text: string, details: Record<string, unknown>, agents: string[] = []): Applied => ({
  ok: true,
  kind,
  text,
  details,
  agents,
});

export const refuse = (reason: string): Applied => ({ ok: false, error: errors.commandInvalid({ reason }) });

/**
 * What a command came to, as the log's state keeps it to answer the same command again. `index`: where it took effect;
 * `agents`: those that it touched, at most `limits.deployCountMax`.
 */
export type Result = { ok: true; index: number; agents: string[] } | { ok: false; error: ErrorBody };
