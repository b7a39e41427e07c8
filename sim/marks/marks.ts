import type { Effect, EffectOf } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import type { Message, NodeId } from '../../node/core/message.ts';
import type { Observer } from '../checkers/checker.ts';
import type { World } from '../world.ts';
import type { Detector } from './detector.ts';
import { detectors } from './detectors.ts';
import type { Hits } from './hits.ts';
import type { Hooks } from './hooks.ts';
import { Scene } from './scene.ts';
import { Table } from './table.ts';

type Plain = 'decided' | 'durable' | 'started' | 'ended' | 'acted' | 'asked' | 'answered' | 'applied' | 'exited';

/**
 * Counts how often a run reached each of the rare things that the catalogue names: "sometimes" assertions over many
 * runs (Antithesis), where a checker's are "always". It looks at the world and changes nothing in it.
 */
export class Marks implements Observer {
  readonly #hits = new Map<string, number>();
  readonly #scene: Scene;
  readonly #sent = new Table();
  readonly #received = new Table();
  readonly #happened = new Table();
  readonly #did = new Table();
  readonly #reported = new Table();
  readonly #logged = new Table();
  readonly #plain = new Table<Plain>();
  #exits: number;

  /** `catalogue`: what looks for each mark, by its name. */
  constructor(world: World, catalogue: Readonly<Record<string, Detector>> = detectors) {
    this.#scene = new Scene(world);
    this.#exits = world.exits.length;
    for (const [name, detect] of Object.entries(catalogue)) this.#add(detect(this.#scene, () => this.#onHit(name)));
    this.#add(this.#scene.hooks);
  }

  /** How often each mark was hit; without those that were not. */
  get hit(): ReadonlyMap<string, number> {
    return this.#hits;
  }

  /** The same as plain JSON, to be added to that of other runs. */
  counts(): Hits {
    return Object.fromEntries(this.#hits) as Hits;
  }

  #onHit(name: string): void {
    this.#hits.set(name, (this.#hits.get(name) ?? 0) + 1);
  }

  #add(hooks: Hooks): void {
    const { sent, received, happened, did, reported, logged, ...plain } = hooks;
    this.#sent.add(sent);
    this.#received.add(received);
    this.#happened.add(happened);
    this.#did.add(did);
    this.#reported.add(reported);
    this.#logged.add(logged);
    this.#plain.add(plain);
  }

  sent(node: NodeId, _cluster: string, message: Message, to: NodeId | undefined): void {
    // What a relay passes on says nothing about the relay.
    if (message.type === 'appendRequest' && message.body.leader !== '') return;
    for (const call of this.#sent.of(message.type)) call(node, message.body, to);
  }

  happened(node: NodeId, event: Event): void {
    for (const call of this.#happened.of(event.type)) call(node, event);
    if (event.type !== 'message' && event.type !== 'gossip') return;
    for (const call of this.#received.of(event.message.type)) call(node, event.message.body, event.from);
  }

  did(node: NodeId, effect: Effect): void {
    for (const call of this.#did.of(effect.type)) call(node, effect);
  }

  reported(node: NodeId, report: EffectOf<'report'>['report']): void {
    const { index, kind } = report;
    if (index === 0) {
      for (const call of this.#reported.of(kind)) call(node, report);
    } else if (index > this.#scene.ledger.index) {
      for (const call of this.#plain.of('applied')) call(index, node);
      for (const call of this.#logged.of(kind)) call(report.details, node);
    }
    this.#scene.ledger.reported(node, report);
  }

  ended(node: NodeId): void {
    const { exits } = this.#scene.world;
    for (const exit of exits.slice(this.#exits)) for (const call of this.#plain.of('exited')) call(exit);
    this.#exits = exits.length;
    for (const call of this.#plain.of('ended')) call(node);
  }

  decided(...told: Parameters<NonNullable<Observer['decided']>>): void {
    for (const call of this.#plain.of('decided')) call(...told);
  }

  durable(...told: Parameters<NonNullable<Observer['durable']>>): void {
    for (const call of this.#plain.of('durable')) call(...told);
  }

  started(...told: Parameters<NonNullable<Observer['started']>>): void {
    for (const call of this.#plain.of('started')) call(...told);
  }

  acted(...told: Parameters<NonNullable<Observer['acted']>>): void {
    for (const call of this.#plain.of('acted')) call(...told);
  }

  asked(...told: Parameters<NonNullable<Observer['asked']>>): void {
    for (const call of this.#plain.of('asked')) call(...told);
  }

  answered(...told: Parameters<NonNullable<Observer['answered']>>): void {
    for (const call of this.#plain.of('answered')) call(...told);
  }
}

/** Watches a world from its beginning on. */
export function watchMarks(world: World): Marks {
  const marks = new Marks(world);
  world.watch(marks);
  return marks;
}
