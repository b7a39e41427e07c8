import { describe, expect, it } from 'vitest';
import type { Serial } from '../../consensus/sessions.ts';
import { apply } from '../../node/core/apply.ts';
import { applyOnce } from '../../node/core/apply-once.ts';
import { ClusterState } from '../../node/core/cluster-state.ts';
import { type Command, type Draft, decodeCommand, encodeCommand, joinsIn } from '../../node/core/command.ts';
import { readKv } from '../../node/core/kv.ts';
import { checkOperation, whatIsWrong } from '../../node/core/operation-check.ts';
import { decodeOperation, encodeOperation } from '../../node/core/operation-codec.ts';
import { limits } from '../../node/core/settings.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const consistency = 'leader' as const;

/** A state, and what it answers to commands in their order: the index of each that took effect, else its error's code. */
class Space {
  readonly state = new ClusterState();
  index = 0;

  do(draft: Draft): number | string {
    this.index += 1;
    const command = decodeCommand(encodeCommand({ ...draft, atMs: 7 } as Command));
    const { result } = applyOnce(this.state, command, this.index);
    return result.ok ? result.index : result.error.code;
  }

  put = (key: string, value: string | Uint8Array, more: { ifIndex?: number; by?: Serial } = {}) =>
    this.do({ kind: 'kvPut', key, value: typeof value === 'string' ? bytes(value) : value, ...more });
  delete = (key: string, more: { ifIndex?: number; by?: Serial } = {}) => this.do({ kind: 'kvDelete', key, ...more });
  get = (key: string) => readKv(this.state, { type: 'kvGet', key, consistency });
  list = (prefix: string, after?: string) => {
    const outcome = readKv(this.state, {
      type: 'kvList',
      prefix,
      consistency,
      ...(after === undefined ? {} : { after }),
    });
    return outcome.ok ? (outcome.result as { keys: { key: string }[]; next?: string }) : undefined;
  };
}

describe('the key-value space', () => {
  it('keeps the last value of each key with the index of its change, until it is deleted', () => {
    const space = new Space();
    expect([space.put('a', 'one'), space.put('b', ''), space.put('a', 'two')]).toEqual([1, 2, 3]);
    expect(space.get('a')).toEqual({ ok: true, result: { key: 'a', value: bytes('two'), index: 3 } });
    expect(space.get('b')).toMatchObject({ result: { value: bytes(''), index: 2 } });
    expect([space.delete('a'), space.delete('a')]).toEqual([4, 'keyUnknown']);
    expect(space.get('a')).toMatchObject({ ok: false, error: { code: 'keyUnknown' } });
    expect([space.state.kv.size, space.state.kvBytes]).toEqual([1, 1]);
  });

  it('does not hold on to the message that a value came in', () => {
    const space = new Space();
    const message = encodeCommand({ kind: 'kvPut', key: 'a', value: bytes('one'), atMs: 0 });
    apply(space.state, decodeCommand(message), 1);
    message.fill(0);
    expect(space.get('a')).toMatchObject({ result: { value: bytes('one') } });
  });

  it('tells of a change without its value', () => {
    const applied = apply(new ClusterState(), { kind: 'kvPut', key: 'a', value: bytes('secret'), atMs: 0 }, 1);
    expect(applied).toEqual({
      ...{ ok: true, kind: 'kvChanged', text: 'a set', details: { key: 'a', bytes: 6 }, agents: [] },
    });
  });

  it('writes only where the key is as the condition says', () => {
    const space = new Space();
    expect(space.put('a', 'x', { ifIndex: 5 })).toBe('keyChanged');
    expect(space.put('a', 'x', { ifIndex: 0 })).toBe(2);
    expect(space.put('a', 'y', { ifIndex: 0 })).toBe('keyChanged');
    expect(space.put('a', 'y', { ifIndex: 2 })).toBe(4);
    expect(space.delete('a', { ifIndex: 2 })).toBe('keyChanged');
    expect(space.get('a')).toMatchObject({ result: { value: bytes('y'), index: 4 } });
    expect(space.delete('a', { ifIndex: 4 })).toBe(6);
  });

  it('does nothing a second time when a write is tried again', () => {
    const space = new Space();
    space.state.sessions.open('7', 0);
    const by = (serial: number, lowest = 1): Serial => ({ session: '7', serial, lowest });
    expect(space.put('a', 'one', { by: by(1) })).toBe(1);
    expect(space.put('a', 'two')).toBe(2);
    // Both tries of the first are answered alike, and the second changes nothing.
    expect(space.put('a', 'one', { by: by(1) })).toBe(1);
    expect(space.get('a')).toMatchObject({ result: { value: bytes('two'), index: 2 } });
    expect(space.put('a', 'x', { by: by(2), ifIndex: 9 })).toBe('keyChanged');
    expect(space.put('a', 'x', { by: by(2), ifIndex: 2 })).toBe('keyChanged');
    // Its asker has gone on: whatever of it was held up on its way does nothing any more.
    expect(space.delete('b', { by: by(4, 4) })).toBe('keyUnknown');
    expect(space.put('a', 'x', { by: by(3) })).toBe('outcomeUnknown');
    expect(space.put('a', 'x', { by: { ...by(5), session: '8' } })).toBe('outcomeUnknown');
    expect(space.get('a')).toMatchObject({ result: { value: bytes('two'), index: 2 } });
  });

  it('lists keys by prefix, in order, a page at a time', () => {
    const space = new Space();
    for (let i = 0; i < 1_500; i++) space.put(`p/${String(i).padStart(4, '0')}`, 'x');
    space.put('q', 'xyz');
    const first = space.list('p/');
    expect([first?.keys.length, first?.keys[0]?.key, first?.next]).toEqual([1_000, 'p/0000', 'p/0999']);
    const second = space.list('p/', first?.next);
    expect([second?.keys.length, second?.keys[0]?.key, second?.next]).toEqual([500, 'p/1000', undefined]);
    expect(space.list('q')).toEqual({ keys: [{ key: 'q', index: 1_501, bytes: 3 }] });
    expect(space.list('r')).toEqual({ keys: [] });
  });
});

describe('its limits', () => {
  it('are a number of keys', () => {
    const space = new Space();
    for (let i = 0; i < limits.kvKeysMax; i++) space.put(`k${i}`, '');
    expect(space.put('one-more', '')).toBe('kvFull');
    expect(space.put('k1', 'changed')).toBeTypeOf('number');
    space.delete('k2');
    expect(space.put('one-more', '')).toBeTypeOf('number');
  });

  it('are bytes of all keys and values together, counted right through every change', () => {
    const space = new Space();
    const large = new Uint8Array(limits.kvValueBytesMax);
    let written = 0;
    while (typeof space.put(`k${written}`, large) === 'number') written += 1;
    expect(written).toBe(Math.floor(limits.kvBytesMax / (large.byteLength + 4)));
    expect(space.state.kvBytes).toBeLessThanOrEqual(limits.kvBytesMax);
    expect(space.put('k0', 'small')).toBeTypeOf('number');
    expect(space.put('another', large.subarray(0, 1_000))).toBeTypeOf('number');
    for (const key of space.state.kv.keys()) space.delete(key);
    expect(space.state.kvBytes).toBe(0);
  });

  it('are bytes of one value', () => {
    expect(new Space().put('a', new Uint8Array(limits.kvValueBytesMax + 1))).toBe('bodyTooLarge');
  });
});

describe('a command of it', () => {
  it('comes out of the log as it went in, with the value as it is', () => {
    const value = Uint8Array.of(0, 255, 10, 123);
    const commands: Command[] = [
      { kind: 'kvPut', key: 'a/b', value, atMs: 1_764_000_000_123 },
      { kind: 'kvPut', key: 'a', value: new Uint8Array(0), ifIndex: 0, atMs: 0.5 },
      { kind: 'kvPut', key: 'a', value, by: { session: '40', serial: 9_007_199_254_740_991, lowest: 1 }, atMs: 1 },
      { kind: 'kvDelete', key: 'a', ifIndex: 12, by: { session: '7', serial: 3, lowest: 2 }, atMs: 1 },
      { kind: 'kvDelete', key: 'a', atMs: 1 },
    ];
    for (const command of commands) expect(decodeCommand(encodeCommand(command))).toEqual(command);
    const large = { kind: 'kvPut' as const, key: 'key', value: new Uint8Array(200), atMs: 1 };
    expect(encodeCommand(large).byteLength).toBe(200 + 15);
  });

  it('that is cut off or of an unknown form is refused', () => {
    const whole = encodeCommand({ kind: 'kvPut', key: 'abc', value: bytes('v'), ifIndex: 1, atMs: 1 });
    for (let end = 1; end < whole.byteLength - 1; end++) {
      expect(() => decodeCommand(whole.subarray(0, end))).toThrow(/refused the decision/);
    }
    expect(() => decodeCommand(Uint8Array.of(9, 9))).toThrow(/unreadable/);
  });

  it('is not taken for a member that joined', () => {
    const data = encodeCommand({ kind: 'kvPut', key: 'a', value: bytes('memberJoin'), atMs: 1 });
    expect(joinsIn([{ index: 1, term: 1, kind: 1, data }])).toEqual([]);
  });
});

describe('an operation on it', () => {
  it('travels between nodes as bytes', () => {
    const put = { type: 'kvPut' as const, key: 'a', value: new Uint8Array(200), ifIndex: 3 };
    expect(decodeOperation(encodeOperation(put))).toEqual(put);
    expect(encodeOperation(put).byteLength).toBeLessThan(240);
    const others = [
      { type: 'kvDelete' as const, key: 'a' },
      { type: 'kvGet' as const, key: 'a', consistency },
      { type: 'kvList' as const, prefix: '', consistency },
    ];
    for (const operation of others) expect(checkOperation(encodeOperation(operation))).toEqual({ ok: true, operation });
    expect(checkOperation(Uint8Array.of(1, 0, 0))).toMatchObject({ ok: false });
  });

  it('names a key of letters, digits and a few signs', () => {
    const value = new Uint8Array(0);
    const good = ['a', '_a', 'A/b.c:d-e/_f', 'x'.repeat(256)];
    const bad = ['', '/a', 'a/', 'a//b', '.', 'a/../b', 'a/.b', 'a b', 'ä', 'a?b', 'a%2f', 'x'.repeat(257)];
    expect(good.filter((key) => whatIsWrong({ type: 'kvPut', key, value }) !== undefined)).toEqual([]);
    expect(bad.filter((key) => whatIsWrong({ type: 'kvPut', key, value }) === undefined)).toEqual([]);
    expect(whatIsWrong({ type: 'kvPut', key: 'a', value, ifIndex: -1 })).toMatch(/index/);
    expect(whatIsWrong({ type: 'kvGet', key: 'a', consistency: 'none' as never })).toMatch(/consistency/);
  });
});
