import { Client, type ClientOptions } from './client.ts';
import { exitCodes, printError } from './output.ts';
import type { Console } from './up.ts';

/** Options that every command takes. */
export type Globals = ClientOptions & { json?: boolean };

/** One run of the command line: where it prints, what it was told, how it ends. */
export class Session {
  readonly console: Console;
  exitCode: number = exitCodes.ok;
  readonly #globals: () => Globals;

  constructor(console: Console, globals: () => Globals) {
    this.console = console;
    this.#globals = globals;
  }

  get globals(): Globals {
    return this.#globals();
  }

  /** Runs a command; prints what it refused. */
  async run(work: (options: Globals) => Promise<void>): Promise<void> {
    const options = this.globals;
    try {
      await work(options);
    } catch (error) {
      this.exitCode = printError(this.console, options.json, error);
    }
  }

  /** Runs a command that talks to the cluster. */
  async withClient(work: (client: Client, options: Globals) => Promise<void>): Promise<void> {
    await this.run(async (options) => work(await Client.open(options), options));
  }
}
