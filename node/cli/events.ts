import type { reportJson } from '../api/views.ts';
import type { Client } from './client.ts';
import { readServerEvents } from './http-request.ts';
import { colors } from './output.ts';
import type { Console } from './up.ts';

export type ReportJson = ReturnType<typeof reportJson>;

/** What an agent wrote may be in a text: it neither breaks the line nor speaks to the terminal. */
const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

/** One event as a line: time of day (UTC), log index, kind, text. What only one node saw has no index. */
export function eventLine({ at_ms: atMs, index, kind, text }: ReportJson): string {
  const time = atMs > 0 ? new Date(atMs).toISOString().slice(11, 23) : ' '.repeat(12);
  return `${colors.gray(time)} ${colors.gray(String(index || '').padStart(6))} ${colors.cyan(kind.padEnd(16))} ${printable(text)}`;
}

/**
 * Prints events as they come, from whichever node answers, until `signal`; when that node is lost, another goes on
 * behind the last event. Throws `ClusterUnreachable` when no node answers for long, `CallRefused`.
 */
export async function followEvents(
  client: Client,
  console: Console,
  options: { since: number; json: boolean | undefined; signal: AbortSignal },
): Promise<void> {
  let last = options.since;
  const resume = (): Record<string, string> => ({ 'last-event-id': String(last) });
  await client.stream(
    '/events',
    resume,
    (answer) =>
      readServerEvents(answer, ({ data }) => {
        const report = JSON.parse(data) as ReportJson;
        last = Math.max(last, report.index);
        console.out.write(`${options.json ? data : eventLine(report)}\n`);
      }),
    options.signal,
  );
}
