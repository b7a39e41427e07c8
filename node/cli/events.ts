import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import colors from 'picocolors';
import type { reportJson } from '../api/views.ts';
import type { Client } from './client.ts';
import type { Console } from './up.ts';

type ReportJson = ReturnType<typeof reportJson>;

const reconnectMs = 200;

export function eventLine({ at, index, kind, text }: ReportJson): string {
  const time = at === null ? '            ' : at.slice(11, 23);
  return `${colors.gray(time)} ${colors.gray(String(index || '').padStart(5))} ${colors.cyan(kind.padEnd(16))} ${text}`;
}

/** Prints events as they come, from whichever node answers, for ever; after a loss it goes on where it was. */
export async function followEvents(
  client: Client,
  console: Console,
  options: { since: number; json: boolean | undefined; signal: AbortSignal },
): Promise<void> {
  let last = options.since;
  const parser = createParser({
    onEvent: ({ data }) => {
      const report = JSON.parse(data) as ReportJson;
      last = Math.max(last, report.index);
      console.out.write(`${options.json ? data : eventLine(report)}\n`);
    },
  });
  for (let turn = 0; !options.signal.aborted; turn++) {
    const admin = client.admins[turn % client.admins.length] ?? '';
    try {
      const headers = { ...client.headers, 'last-event-id': String(last) };
      const answer = await fetch(`${admin}/api/v1/cluster/events`, { headers, signal: options.signal });
      if (!answer.ok || answer.body === null) throw new Error(`answered ${answer.status}`);
      const decoder = new TextDecoder();
      for await (const chunk of answer.body) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch {
      // The next node goes on from the last event.
    }
    parser.reset();
    await delay(reconnectMs);
  }
}
