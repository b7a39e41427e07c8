import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Bench } from './figure.ts';
import { median, rounded } from './sample.ts';

const roundTrips = 1_000;
const syncs = 200;
const workers = 20;
const messageBytes = 64;
const recordBytes = 1_024;

const echoServer = `
const { createServer } = require('node:net');
const { parentPort } = require('node:worker_threads');
const server = createServer((socket) => socket.setNoDelay(true).pipe(socket));
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** What one of each takes, ms: the parts of which a floor is made. */
export interface Parts {
  roundTripMs: number;
  syncMs: number;
  workerStartMs: number;
}

export async function measureParts(bench: Pick<Bench, 'scratch'>): Promise<Parts> {
  return { syncMs: syncMs(bench), roundTripMs: await roundTripMs(), workerStartMs: await workerStartMs() };
}

/** The parts as they stand in a figure's line. */
export function partsLine({ roundTripMs, syncMs, workerStartMs }: Parts): Record<string, number | null> {
  return {
    sync_ms: rounded(syncMs),
    round_trip_ms: rounded(roundTripMs),
    worker_start_ms: rounded(workerStartMs),
  };
}

/** Median time of one message to another thread over loopback TCP and back, ms. */
export async function roundTripMs(): Promise<number> {
  const echo = new Worker(echoServer, { eval: true });
  try {
    const port = await new Promise<number>((resolve, reject) => echo.once('message', resolve).once('error', reject));
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const message = Buffer.alloc(messageBytes);
    const values: number[] = [];
    for (let i = 0; i < roundTrips; i++) {
      const start = performance.now();
      const back = new Promise((resolve) => socket.once('data', resolve));
      socket.write(message);
      await back;
      values.push(performance.now() - start);
    }
    socket.destroy();
    return median(values) as number;
  } finally {
    await echo.terminate();
  }
}

/** Median time of appending 1 KiB to a file and having it on the disk, ms. */
export function syncMs({ scratch }: Pick<Bench, 'scratch'>): number {
  const file = openSync(join(scratch.directory, 'sync'), 'a');
  const record = Buffer.alloc(recordBytes, 'x');
  const values: number[] = [];
  for (let i = 0; i < syncs; i++) {
    const start = performance.now();
    writeSync(file, record);
    fdatasyncSync(file);
    values.push(performance.now() - start);
  }
  closeSync(file);
  return median(values) as number;
}

/** Median time until a new worker thread runs its first line, ms. */
export async function workerStartMs(): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < workers; i++) {
    const start = performance.now();
    const worker = new Worker("require('node:worker_threads').parentPort.postMessage(0)", { eval: true });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    values.push(performance.now() - start);
    await worker.terminate();
  }
  return median(values) as number;
}
