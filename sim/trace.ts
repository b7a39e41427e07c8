import type { Effect, EffectOf, EffectType, Write } from '../node/core/effect.ts';
import type { Event, EventOf, EventType } from '../node/core/event.ts';
import type { NodeId } from '../node/core/message.ts';

interface Line {
  step: number;
  atMs: number;
  mark: '<-' | '->' | '**';
  what: unknown;
}

/** Lines kept per node for printing at a failure. */
const linesMax = 200;
const lineLengthMax = 260;

type Mixers<T extends string, V> = { [K in T]: (value: Extract<V, { type: K }>, frame: number) => void };

/**
 * What happened in a world: a rolling hash over all of it (two runs of a seed must agree), and the last lines of each
 * node for people. A frame is hashed once, when it leaves; what it becomes at the receiver is known by that hash.
 */
export class Trace {
  #high = 0x811c9dc5;
  #low = 0x01000193;
  readonly #lines = new Map<NodeId, Line[]>();
  readonly #words = new Map<string, number>();
  #steps = 0;
  /** Called with each step's number and the hash after it; a comparison of two runs listens here. */
  onStep: ((step: number, hash: number) => void) | undefined;

  /** Things recorded so far. */
  get count(): number {
    return this.#steps;
  }

  /** The hash so far, 16 hex digits. */
  hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** `frame`: hash of the bytes that the event came in, if it came from another node. */
  event(atMs: number, node: NodeId, event: Event, frame = 0): void {
    this.#begin(atMs, node, '<-', event);
    this.#mixWord(this.#wordOf(event.type));
    (this.#ofEvent[event.type] as (event: Event, frame: number) => void)(event, frame);
    this.#end();
  }

  /** `frame`: hash of the bytes that the effect sent, if it sent any. */
  effect(atMs: number, node: NodeId, effect: Effect, frame = 0): void {
    this.#begin(atMs, node, '->', effect);
    this.#mixWord(this.#wordOf(effect.type));
    (this.#ofEffect[effect.type] as (effect: Effect, frame: number) => void)(effect, frame);
    this.#end();
  }

  /** Something the world did to a node: crash, pause, cut. */
  fault(atMs: number, node: NodeId, what: string): void {
    this.#begin(atMs, node, '**', what);
    this.#mixText(what);
    this.#end();
  }

  /** The last lines of a node, oldest first. */
  last(node: NodeId, count: number): string[] {
    return (this.#lines.get(node) ?? [])
      .slice(-count)
      .map(({ atMs, mark, what }) => `${atMs.toFixed(3)} ${node} ${mark} ${show(what)}`.slice(0, lineLengthMax));
  }

  /** What was recorded as a certain step, as far as it is still kept. */
  lineAt(step: number): string | undefined {
    for (const [node, lines] of this.#lines) {
      const line = lines.find((candidate) => candidate.step === step);
      if (line !== undefined) return `${line.atMs.toFixed(3)} ms ${node} ${line.mark} ${show(line.what)}`;
    }
    return undefined;
  }

  readonly #ofEvent: Mixers<EventType, Event> = {
    wake: () => {},
    connected: ({ node }) => this.#mixWord(this.#wordOf(node)),
    disconnected: ({ node }) => this.#mixWord(this.#wordOf(node)),
    dialFailed: ({ address }) => this.#mixWord(this.#wordOf(address)),
    message: ({ from }, frame) => this.#mixFrame(from, frame),
    gossip: ({ from }, frame) => this.#mixFrame(from, frame),
    persisted: ({ id }) => this.#mixWord(id),
    request: ({ request, operation }) => {
      this.#mixText(request);
      this.#mixWord(this.#wordOf(operation.type));
      if ('agent' in operation) this.#mixText(operation.agent);
      if ('payload' in operation) this.#mixWord(hashBytes(operation.payload));
    },
    load: ({ sample }) => this.#mixNumber(sample.cpu),
    stop: () => {},
    stateAhead: (event) => this.#mixInstance(event, event.bytes),
    agentStarted: (event) => this.#mixInstance(event, event.state),
    taskRan: (event: EventOf<'taskRan'>) => {
      this.#mixText(event.task);
      this.#mixWord(hashBytes(event.value));
      const { state } = event;
      const isWhole = state === undefined || state instanceof Uint8Array;
      if (!isWhole) this.#mixNumber(state.offset);
      this.#mixInstance(event, isWhole ? state : state.inserted);
    },
    tasksReturned: (event) => {
      for (const task of event.tasks) this.#mixText(task);
      this.#mixInstance(event, undefined);
    },
    taskProgress: (event) => {
      this.#mixText(event.task);
      this.#mixInstance(event, event.value);
    },
    agentPrepared: ({ agent, migration, reason }) => {
      this.#mixMove(agent, migration);
      this.#mixText(reason);
    },
    agentFailed: (event) => {
      this.#mixInstance(event, undefined);
      this.#mixText(event.reason);
    },
  };

  readonly #ofEffect: Mixers<EffectType, Effect> = {
    persist: ({ id, writes }) => {
      this.#mixWord(id);
      for (const write of writes) this.#mixWrite(write);
    },
    send: ({ to }, frame) => this.#mixFrame(to, frame),
    publish: ({ topic }, frame) => this.#mixFrame(topic, frame),
    dial: ({ node }) => this.#mixWord(this.#wordOf(node)),
    dialAddress: ({ address }) => this.#mixWord(this.#wordOf(address)),
    hangUp: ({ node }) => this.#mixWord(this.#wordOf(node)),
    startAgent: (effect) => this.#mixInstance(effect, effect.state),
    stopAgent: (effect) => this.#mixInstance(effect, undefined),
    renewAgent: (effect) => this.#mixInstance(effect, undefined),
    prepareAgent: ({ agent, migration }) => this.#mixMove(agent, migration),
    releaseAgent: ({ agent, migration }) => this.#mixMove(agent, migration),
    runTask: (effect: EffectOf<'runTask'>) => {
      this.#mixText(effect.task);
      this.#mixInstance(effect, effect.payload);
    },
    recallTasks: (effect) => this.#mixInstance(effect, undefined),
    cancelTask: (effect) => {
      this.#mixText(effect.task);
      this.#mixInstance(effect, undefined);
    },
    progress: ({ request, number, value }) => {
      this.#mixText(request);
      this.#mixWord(number);
      this.#mixWord(hashBytes(value));
    },
    reply: ({ request, outcome }) => {
      this.#mixText(request);
      this.#mixText(outcome.ok ? 'ok' : outcome.error.code);
    },
    report: ({ report }) => {
      this.#mixWord(report.index);
      this.#mixText(report.text);
    },
    wakeAt: ({ atMs }) => this.#mixNumber(atMs),
    exit: ({ code, reason }) => {
      this.#mixWord(code);
      this.#mixText(reason);
    },
  };

  #begin(atMs: number, node: NodeId, mark: Line['mark'], what: unknown): void {
    this.#steps += 1;
    this.#mixNumber(atMs);
    this.#mixWord(this.#wordOf(node));
    this.#mixWord(mark.charCodeAt(0));
    let lines = this.#lines.get(node);
    if (lines === undefined) this.#lines.set(node, (lines = []));
    lines.push({ step: this.#steps, atMs, mark, what });
    if (lines.length > 2 * linesMax) lines.splice(0, linesMax);
  }

  #end(): void {
    this.onStep?.(this.#steps, this.#low);
  }

  #mixMove(agent: string, migration: number): void {
    this.#mixText(agent);
    this.#mixWord(migration);
  }

  #mixInstance({ agent, epoch }: { agent: string; epoch: number }, bytes: Uint8Array | undefined): void {
    this.#mixText(agent);
    this.#mixWord(epoch);
    if (bytes !== undefined) this.#mixWord(hashBytes(bytes));
  }

  #mixWrite({ key, value }: Write): void {
    this.#mixText(key);
    this.#mixWord(value === undefined ? 1 : hashBytes(value));
  }

  #mixFrame(peer: string, frame: number): void {
    this.#mixWord(this.#wordOf(peer));
    this.#mixWord(frame);
  }

  #mixText(text: string): void {
    this.#mixWord(hashText(text));
  }

  /** The parts of a number that tell it from its neighbours; virtual times are no whole numbers. */
  #mixNumber(number: number): void {
    doubles[0] = number;
    this.#mixWord(words[0] as number);
    this.#mixWord(words[1] as number);
  }

  /** Two FNV-1a lanes that also feed each other. */
  #mixWord(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x01000193);
    this.#low = Math.imul(this.#low ^ word ^ (this.#high >>> 15), 0x85ebca6b);
  }

  /** Hash of a word that comes again and again. There are as many as nodes, addresses and kinds. */
  #wordOf(text: string): number {
    let word = this.#words.get(text);
    if (word === undefined) this.#words.set(text, (word = hashText(text)));
    return word;
  }
}

const doubles = new Float64Array(1);
const words = new Int32Array(doubles.buffer);

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ text.length, 0x85ebca6b);
}

/** Hash of bytes, four at a time, 32 bits. */
export function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  const { length } = bytes;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  for (; at < length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return Math.imul(hash ^ length, 0x85ebca6b);
}

function show(what: unknown): string {
  if (typeof what === 'string') return what;
  const { type, ...rest } = what as { type: string };
  return `${type} ${JSON.stringify(rest, (_name, value) => (value instanceof Uint8Array ? showBytes(value) : value))}`;
}

function showBytes(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 60));
  return /^[\x20-\x7e]*$/.test(text) ? text : `${bytes.byteLength} bytes`;
}
