import type { Effect } from '../node/core/effect.ts';
import type { Message, NodeId } from '../node/core/message.ts';
import type { Operation, Outcome } from '../node/core/operation.ts';
import type { Observer, WorldAct } from './checkers/checker.ts';
import type { RecordedEvent, RecordedSpan, RecordedTraffic, Recording } from './recording.ts';
import type { World } from './world.ts';

const eventsMax = 20_000;
const trafficMax = 60_000;
const spansMax = 20_000;
const trafficSliceMs = 100;
const recordingVersion = 1;

/** Kinds of spans that a node or an agent on it is in one of at a time. */
type Track = 'state' | 'leading' | 'cut' | `agent ${string}`;
type Report = Extract<Effect, { type: 'report' }>['report'];

/** Keeps what a person wants to see of a run: what the world did, what was decided, who led, ran, was off or cut off. */
export class Recorder implements Observer {
  readonly #world: World;
  readonly #events: RecordedEvent[] = [];
  readonly #spans: RecordedSpan[] = [];
  readonly #open = new Map<string, RecordedSpan>();
  readonly #traffic = new Map<string, RecordedTraffic>();
  readonly #joinedMs = new Map<NodeId, number>();
  readonly #agents = new Set<string>();
  #index = 0;
  #omitted = 0;

  constructor(world: World) {
    this.#world = world;
    world.network.onFrame = (from, to, type, lost) => this.#onFrame(from, to, type, lost);
  }

  /** What happened, oldest first. */
  get events(): readonly RecordedEvent[] {
    return this.#events;
  }

  recording(about: Pick<Recording, 'command' | 'verdict' | 'counts'>): Recording {
    const durationMs = Math.ceil(this.#world.nowMs);
    const open = [...this.#open.values()].map((span) => ({ ...span, toMs: durationMs }));
    return {
      version: recordingVersion,
      seed: this.#world.random.seed,
      durationMs,
      trafficSliceMs,
      nodes: [...this.#joinedMs].map(([id, joinedMs]) => ({ id, joinedMs })),
      agents: [...this.#agents].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })),
      events: this.#events,
      spans: [...this.#spans, ...open],
      traffic: [...this.#traffic.values()],
      omitted: this.#omitted,
      ...about,
    };
  }

  // ---- events ----

  note(event: Omit<RecordedEvent, 'step' | 'atMs'>): void {
    if (this.#events.length >= eventsMax) {
      // What the world did stays; of the rest the oldest give way.
      const oldest = this.#events.findIndex(({ kind }) => kind === 'acknowledged' || kind === 'report');
      this.#events.splice(Math.max(0, oldest), 1);
      this.#omitted += 1;
    }
    this.#events.push({ step: this.#world.trace.count, atMs: this.#world.nowMs, ...event });
  }

  acted({ kind, node, text }: WorldAct): void {
    this.note({ kind, text, ...(node !== 'world' && { node }) });
    for (const each of this.#joinedMs.keys()) this.#lookAt(each);
  }

  started(node: NodeId): void {
    if (!this.#joinedMs.has(node)) this.#joinedMs.set(node, this.#world.nowMs);
    this.#lookAt(node);
  }

  ended(node: NodeId): void {
    this.#lookAt(node);
    this.#enter(node, 'leading', undefined);
    for (const [key, { agent }] of this.#open) {
      if (agent !== undefined && key.startsWith(`${node} agent `)) this.#enter(node, `agent ${agent}`, undefined);
    }
  }

  reported(node: NodeId, { index, kind, text, details }: Report): void {
    if (index > 0) {
      if (index <= this.#index) return;
      this.#index = index;
    }
    const agent = (details as { agent?: string }).agent;
    this.note({
      kind: 'report',
      node,
      text,
      details: { index, kind, ...details },
      ...(agent !== undefined && { agent }),
    });
  }

  answered(node: NodeId, request: string, operation: Operation, outcome: Outcome): void {
    if (operation.type === 'status') return;
    const agent = 'agent' in operation ? operation.agent : undefined;
    const told = outcome.ok ? 'done' : `${outcome.error.code}: ${outcome.error.message}`;
    const about = { node, details: { request, outcome: told }, ...(agent !== undefined && { agent }) };
    if (operation.type === 'task' && outcome.ok) {
      this.note({ kind: 'acknowledged', text: `${operation.task} of ${agent} acknowledged`, ...about });
    } else if (operation.type !== 'task' && operation.type !== 'state') {
      this.note({ kind: 'request', text: `${operation.type} ${agent ?? ''}: ${told}`, ...about });
    }
  }

  // ---- spans ----

  sent(node: NodeId, _cluster: string, message: Message): void {
    if (message.type === 'appendRequest' && message.body.leader === '') {
      const leads = `${message.body.term}`;
      if (this.#open.get(`${node} leading`)?.text !== leads)
        this.#enter(node, 'leading', { kind: 'leading', text: leads });
    } else if (message.type === 'appendReply' || message.type === 'voteRequest')
      this.#enter(node, 'leading', undefined);
  }

  did(node: NodeId, effect: Effect): void {
    if (effect.type === 'startAgent') {
      const { agent, epoch } = effect;
      this.#agents.add(agent);
      this.#enter(node, `agent ${agent}`, { kind: 'agent', agent, text: String(epoch) });
    } else if (effect.type === 'renewAgent') {
      this.#enter(node, `agent ${effect.agent}`, { kind: 'agent', agent: effect.agent, text: String(effect.epoch) });
    } else if (effect.type === 'stopAgent') {
      const open = this.#open.get(`${node} agent ${effect.agent}`);
      if (open?.text === String(effect.epoch)) this.#enter(node, `agent ${effect.agent}`, undefined);
    }
  }

  #lookAt(node: NodeId): void {
    const state = this.#world.gone.has(node) ? 'off' : this.#world.host(node).state;
    this.#enter(node, 'state', state === 'running' ? undefined : { kind: state, text: state });
    const away = [...this.#joinedMs.keys()].filter(
      (other) =>
        other !== node && !(this.#world.network.reaches(node, other) && this.#world.network.reaches(other, node)),
    );
    this.#enter(node, 'cut', away.length === 0 ? undefined : { kind: 'cut', text: away.join(', ') });
  }

  /** The node is in this state from now on; `undefined`: in none that is worth a word. */
  #enter(node: NodeId, track: Track, state: Pick<RecordedSpan, 'kind' | 'text' | 'agent'> | undefined): void {
    const key = `${node} ${track}`;
    const before = this.#open.get(key);
    if (before !== undefined && before.kind === state?.kind && before.text === state.text) return;
    if (before !== undefined) {
      this.#open.delete(key);
      before.toMs = this.#world.nowMs;
      if (this.#spans.length < spansMax) this.#spans.push(before);
      else this.#omitted += 1;
    }
    if (state === undefined) return;
    this.#open.set(key, { fromMs: this.#world.nowMs, toMs: this.#world.nowMs, node, ...state });
  }

  // ---- traffic ----

  #onFrame(from: NodeId, to: NodeId, type: string, lost: boolean): void {
    const atMs = Math.floor(this.#world.nowMs / trafficSliceMs) * trafficSliceMs;
    const key = `${atMs} ${from} ${to} ${type}`;
    let traffic = this.#traffic.get(key);
    if (traffic === undefined) {
      this.#traffic.set(key, (traffic = { atMs, from, to, type, sent: 0, lost: 0 }));
      const [oldest] = this.#traffic.keys();
      if (this.#traffic.size > trafficMax && oldest !== undefined) this.#traffic.delete(oldest);
    }
    traffic.sent += 1;
    if (lost) traffic.lost += 1;
  }
}
