import type { Outside, Tools } from './outside.ts';

/** `Math.random` and `crypto` by the instance's generator, and memory whose end no one sees. Runs inside a realm. */
export function installChance({ random }: Outside, { define }: Tools): void {
  const bytesMax = 65_536;
  const fill = (bytes: Uint8Array): Uint8Array => {
    for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(random() * 256);
    return bytes;
  };
  const cryptography = {
    getRandomValues<T>(view: T): T {
      if (!ArrayBuffer.isView(view) || view instanceof DataView || /Float/.test(view.constructor.name)) {
        throw new TypeError('getRandomValues takes an array of whole numbers');
      }
      if (view.byteLength > bytesMax) throw new RangeError(`getRandomValues fills at most ${bytesMax} bytes`);
      fill(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      return view;
    },
    /** RFC 9562, version 4. */
    randomUUID(): string {
      const bytes = fill(new Uint8Array(16));
      bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
      bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
    get subtle(): never {
      throw new Error(
        'The simulated world has no crypto.subtle. What it would answer comes from outside; use code of your own.',
      );
    },
  };
  define('random', () => random(), Math);
  define('crypto', cryptography);

  // When memory is collected is chance that no seed governs: here nothing is, as far as the agent can see.
  class LastingRef<T extends WeakKey> {
    readonly #target: T;
    constructor(target: T) {
      this.#target = target;
    }
    deref(): T {
      return this.#target;
    }
  }
  class NoFinalizationRegistry {
    register(): void {}
    unregister(): boolean {
      return false;
    }
  }
  define('WeakRef', LastingRef);
  define('FinalizationRegistry', NoFinalizationRegistry);
}
