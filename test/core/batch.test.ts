import { expect, test } from 'vitest';
import type { Effect } from '../../node/core/effect.ts';
import type { Event } from '../../node/core/event.ts';
import { Node } from '../../node/core/node.ts';

const profile = { name: 'n', addresses: [], site: '', capabilities: [], admin: '', agentsMax: 1 };

/** A node that founds a cluster of its own, whose disk a test drives. */
class Alone {
  readonly node: Node;
  readonly persists: number[] = [];
  readonly replies: string[] = [];
  #nowMs = 0;

  constructor() {
    const at = { nowMs: 0, wallMs: 0 };
    this.node = new Node({
      id: 'n1',
      start: 's1',
      profile,
      records: new Map(),
      join: [],
      expect: 1,
      random: () => 0.5,
      at,
    });
    for (let i = 0; i < 200; i++) this.handle({ type: 'wake' }, ...this.written());
    this.handle(...this.written());
  }

  handle(...events: Event[]): void {
    this.#nowMs += 10;
    for (const effect of this.node.handleAll(events, { nowMs: this.#nowMs, wallMs: 0 })) this.#note(effect);
  }

  #note(effect: Effect): void {
    if (effect.type === 'persist') this.persists.push(effect.id);
    if (effect.type === 'reply' && effect.outcome.ok && effect.urgent) this.replies.push(effect.request);
  }

  /** All that was to be written is on disk, told as the host does: by the last. */
  written(): Event[] {
    const id = this.persists.splice(0).at(-1);
    return id === undefined ? [] : [{ type: 'persisted', id }];
  }
}

const put = (request: string): Event => ({
  ...{ type: 'request', request },
  operation: { type: 'kvPut', key: request, value: new Uint8Array(1) },
});

test('events that come together are answered as if each had come alone', () => {
  const alone = new Alone();
  alone.handle(put('a'));
  // The first is committed by what comes just before the others.
  alone.handle(...alone.written(), put('b'), put('c'));
  expect(alone.replies).toEqual(['a']);
  expect(alone.persists).toHaveLength(1);
  alone.handle(...alone.written(), put('d'));
  alone.handle(...alone.written());
  expect(alone.replies).toEqual(['a', 'b', 'c', 'd']);
});
