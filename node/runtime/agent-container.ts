import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerSpec } from '../core/container-spec.ts';
import { AgentOutput, type AgentOutputInit } from './agent-output.ts';
import { AttachFrames } from './attach-frames.ts';
import { type DockerEngine, EngineError } from './docker-engine.ts';
import type { LineChannel } from './line-channel.ts';
import type { Turns } from './turns.ts';

export interface AgentContainerInit extends AgentOutputInit {
  engine: DockerEngine;
  spec: ContainerSpec;
  /** For the engine, made from the spec. */
  options: object;
  /** So that the engine is not asked for all containers at once. */
  turns: Turns;
  removeTriesMax: number;
  removePauseMs: number;
  /** It is gone, or was given up. */
  onEnded(): void;
}

/** The engine may tell of a container's end a little after its output has ended. */
const lookTriesMax = 40;
const lookPauseMs = 50;

/** A container that talks in lines: attached to before it starts, removed when it ends. */
export class AgentContainer implements LineChannel {
  readonly #init: AgentContainerInit;
  readonly #output: AgentOutput;
  /** Resolves with its id as soon as there is a container, or with nothing when there will be none. */
  readonly #made: Promise<string | undefined>;
  #onMade: (id: string | undefined) => void = () => {};
  #early = '';
  #socket: Duplex | undefined;
  #id: string | undefined;
  #isTurn = false;
  #started = false;
  /** Settles when the engine has started it, or has said why it cannot. */
  #starting: Promise<void> | undefined;

  constructor(init: AgentContainerInit) {
    this.#init = init;
    this.#output = new AgentOutput(init);
    this.#made = new Promise((resolve) => {
      this.#onMade = resolve;
    });
    void this.#open();
  }

  say(line: string): void {
    if (this.#output.over) return;
    if (!this.#started) this.#early += `${line}\n`;
    else if (this.#socket?.writable) this.#socket.write(`${line}\n`);
  }

  async end(): Promise<void> {
    this.#output.close();
    this.#socket?.destroy();
    await this.#remove();
    this.#init.onEnded();
  }

  async #remove(): Promise<void> {
    // What still waits for its turn makes nothing.
    if (!this.#isTurn) return;
    // One that is being started is removed at once: its node may have no time to wait for more.
    const id = await this.#made;
    if (id === undefined) return;
    const { engine, removeTriesMax, removePauseMs } = this.#init;
    for (let tries = 1; tries <= removeTriesMax; tries++) {
      try {
        return await engine.remove(id);
      } catch {
        // What stays is found by its labels later.
        if (tries < removeTriesMax) await delay(removePauseMs * tries, undefined, { ref: false });
      }
    }
  }

  /** Never rejects. */
  async #open(): Promise<void> {
    const { turns } = this.#init;
    await turns.take();
    this.#isTurn = true;
    try {
      if (!this.#output.over) await this.#start();
    } catch (error) {
      this.#output.break(`its container cannot be started: ${(error as Error).message}`);
    } finally {
      this.#onMade(undefined);
      turns.give();
    }
  }

  async #start(): Promise<void> {
    const { engine, spec, options } = this.#init;
    const volumes = await engine.volumesOf(spec.image).catch((error: unknown) => {
      throw error instanceof EngineError && error.status === 404
        ? new Error(
            `the image ${spec.image} is not on this machine: bring it there with "docker pull" or "docker load"`,
          )
        : error;
    });
    if (volumes.length > 0)
      throw new Error(`its image wants to keep files (${volumes.join(', ')}), which no agent may`);
    this.#id = await engine.create(options);
    this.#onMade(this.#id);
    if (this.#output.over) return;
    const socket = await engine.attach(this.#id);
    this.#socket = socket;
    this.#listen(socket);
    if (this.#output.over) {
      socket.destroy();
      return;
    }
    this.#starting = engine.start(this.#id);
    await this.#starting;
    this.#started = true;
    socket.write(this.#early);
    this.#early = '';
  }

  #listen(socket: Duplex): void {
    const frames = new AttachFrames({
      output: (chunk) => this.#output.take(chunk),
      errors: (chunk) => this.#output.takeErrors(chunk),
    });
    // It may end while something is on its way to it: its end tells.
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      try {
        frames.push(chunk);
      } catch (error) {
        this.#output.break(`the container engine does not speak as it should: ${(error as Error).message}`);
        socket.destroy();
      }
    });
    socket.once('close', () => void this.#onClosed());
    // Its end is the container's: nothing is left to be said to it.
    socket.once('end', () => socket.destroy());
  }

  async #onClosed(): Promise<void> {
    this.#output.endErrors();
    try {
      await this.#starting;
    } catch {
      // The engine may end the stream of one that it cannot start before it says why, which is told where it was asked.
      return;
    }
    if (!this.#output.over) this.#output.break(await this.#whyEnded());
  }

  async #whyEnded(): Promise<string> {
    const { engine, spec } = this.#init;
    try {
      for (let tries = 1; tries <= lookTriesMax; tries++) {
        const { running, exitCode, outOfMemory } = await engine.look(this.#id ?? '');
        if (outOfMemory) return `it needs more than the ${spec.memoryMb} MB of memory that its container has`;
        if (!running) return `its container ended with code ${exitCode}`;
        await delay(lookPauseMs, undefined, { ref: false });
      }
      return 'the connection to its container was closed';
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return 'its container was removed';
      return `nothing is known of its container: ${(error as Error).message}`;
    }
  }
}
