import type { Outside, Tools } from './outside.ts';

/** Texts as bytes and as base64, and the console. Runs inside a realm. */
export function installEncoding(outside: Outside, { define, ask }: Tools): void {
  class RealmTextEncoder {
    get encoding(): string {
      return 'utf-8';
    }
    encode(text: unknown = ''): Uint8Array {
      return new Uint8Array(outside.encoder.encode(String(text)));
    }
    encodeInto(text: unknown, target: Uint8Array): { read: number; written: number } {
      const { read, written } = ask(() => outside.encoder.encodeInto(String(text), target));
      return { read, written };
    }
  }

  class RealmTextDecoder {
    readonly #decoder: TextDecoder;
    constructor(label: unknown = 'utf-8', options: { fatal?: unknown; ignoreBOM?: unknown } = {}) {
      const { fatal, ignoreBOM } = options;
      this.#decoder = ask(
        () => new outside.TextDecoder(String(label), { fatal: Boolean(fatal), ignoreBOM: Boolean(ignoreBOM) }),
      );
    }
    get encoding(): string {
      return this.#decoder.encoding;
    }
    get fatal(): boolean {
      return this.#decoder.fatal;
    }
    get ignoreBOM(): boolean {
      return this.#decoder.ignoreBOM;
    }
    decode(bytes?: ArrayBuffer, options?: { stream?: unknown }): string {
      return ask(() => this.#decoder.decode(bytes, { stream: Boolean(options?.stream) }));
    }
  }

  define('TextEncoder', RealmTextEncoder);
  define('TextDecoder', RealmTextDecoder);
  define('atob', (text: unknown) => ask(() => outside.atob(String(text))));
  define('btoa', (text: unknown) => ask(() => outside.btoa(String(text))));

  const printing = ['log', 'info', 'debug', 'warn', 'error', 'trace', 'dir', 'table'];
  const silent = ['assert', 'clear', 'count', 'countReset', 'group', 'groupCollapsed', 'groupEnd'];
  const board: Record<string, (...values: unknown[]) => void> = {};
  for (const name of printing) board[name] = (...values) => ask(() => outside.print(values));
  for (const name of [...silent, 'time', 'timeEnd', 'timeLog', 'timeStamp']) board[name] = () => {};
  define('console', board);
}
