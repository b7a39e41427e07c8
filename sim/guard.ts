import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';

/** Something that the code of a simulated world must not touch: it throws, or it is replaced by what is harmless. */
interface Swap {
  owner: object;
  name: string;
  value: unknown;
}

const advice = 'Time comes with the event, chance from the generator handed in; what goes outside is an effect.';

/** A refusal is called like what it stands for, and as a constructor, too. */
function refuse(called: string): () => never {
  return function refusal(): never {
    throw new Error(`${called} was used inside the simulated world. ${advice}`);
  };
}

const refusals = (owner: object, path: string, names: readonly string[]): Swap[] =>
  names.map((name) => ({ owner, name, value: refuse(path === '' ? name : `${path}.${name}`) }));

/** All functions of a module of Node's. What its named imports give follows: see `syncBuiltinESMExports`. */
const allOf = (owner: object, path: string): Swap[] =>
  refusals(
    owner,
    path,
    Object.entries(owner).flatMap(([name, value]) =>
      typeof value === 'function' && /^[a-z]/.test(name) ? [name] : [],
    ),
  );

/** `Date` without a clock: a given moment can still be turned into a date. */
function timelessDate(real: DateConstructor): DateConstructor {
  const now = refuse('Date.now');
  return new Proxy(real, {
    construct: (target, args, self) =>
      args.length === 0 ? refuse('new Date()')() : Reflect.construct(target, args, self),
    apply: refuse('Date()'),
    get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
  });
}

/** Clocks, timers and chance that no seed governs, and all ways to disks, networks and other processes. */
function listSwaps(): Swap[] {
  const hrtime = Object.assign(refuse('process.hrtime'), { bigint: refuse('process.hrtime.bigint') });
  const entropy = ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID'];
  return [
    { owner: globalThis, name: 'Date', value: timelessDate(Date) },
    ...refusals(Math, 'Math', ['random']),
    ...refusals(globalThis, '', ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']),
    ...refusals(globalThis, '', ['fetch', 'WebSocket']),
    ...refusals(globalThis.performance, 'performance', ['now']),
    ...refusals(process, 'process', ['nextTick', 'uptime', 'cpuUsage', 'memoryUsage']),
    { owner: process, name: 'hrtime', value: hrtime },
    ...refusals(globalThis.crypto, 'crypto', ['randomUUID', 'getRandomValues']),
    ...refusals(crypto, 'crypto', entropy),
    ...allOf(timers, 'timers'),
    ...allOf(timersPromises, 'timers/promises'),
    ...allOf(fs, 'fs'),
    ...allOf(fs.promises, 'fs.promises'),
    ...allOf(childProcess, 'child_process'),
    ...allOf(dns, 'dns'),
    ...allOf(dns.promises, 'dns.promises'),
    ...allOf(dgram, 'dgram'),
    ...allOf(os, 'os'),
    ...refusals(net.Socket.prototype, 'net.Socket', ['connect']),
    ...refusals(net.Server.prototype, 'net.Server', ['listen']),
  ];
}

let swaps: readonly Swap[] | undefined;
let depth = 0;

/** Puts something in its place; returns how to put back what was there. */
function replace({ owner, name, value }: Swap): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, name);
  if (own?.writable) {
    // Nearly all are of this kind, and it takes half the time.
    const slot = owner as Record<string, unknown>;
    slot[name] = value;
    return () => {
      slot[name] = own.value;
    };
  }
  Object.defineProperty(owner, name, { configurable: true, enumerable: own?.enumerable ?? false, value });
  return () => {
    if (own === undefined) Reflect.deleteProperty(owner, name);
    else Object.defineProperty(owner, name, own);
  };
}

/**
 * Runs something during which raw clocks, timers, random numbers and input and output throw. All are back when it
 * returns or throws. What somebody took hold of before (`const { now } = Date`) is out of reach.
 */
export function guarded<T>(run: () => T): T {
  if (depth > 0) return run();
  swaps ??= listSwaps();
  const restore: (() => void)[] = [];
  depth += 1;
  try {
    for (const swap of swaps) restore.push(replace(swap));
    syncBuiltinESMExports();
    return run();
  } finally {
    for (const undo of restore.reverse()) undo();
    syncBuiltinESMExports();
    depth -= 1;
  }
}
