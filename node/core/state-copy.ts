import type { Context } from './context.ts';
import type { MessageOf, NodeId } from './message.ts';
import { partOf, StateBytes, type StatePart } from './state-bytes.ts';
import { isNamed, type PartName, partsHere } from './state-manifest.ts';

/** The state that a step led to. */
export interface StateVersion {
  agent: string;
  epoch: number;
  sequence: number;
  checksum: number;
}

export const isSameVersion = (a: StateVersion, b: StateVersion): boolean =>
  a.agent === b.agent && a.epoch === b.epoch && a.sequence === b.sequence && a.checksum === b.checksum;

/** Bytes that a node has asked for, for all its copies together. */
export class FetchWindow {
  #bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether there is room; a part that is larger than all of it has room where there is nothing else. */
  take(bytes: number): boolean {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }
}

export interface StateCopyInit {
  context: Context;
  window: FetchWindow;
  version: StateVersion;
  manifest: readonly PartName[];
  /** Parts that are here already, in the order of their states: the lists to be taken from before the others first. */
  known: readonly (readonly StatePart[])[];
  /** Nodes that have it, the best first. */
  sources: readonly NodeId[];
}

/**
 * A state on its way here, part by part, in whatever order they come: those that are here already are not asked for, and
 * what is lost is asked for again, of another node when there is one. It says nothing of a disk.
 */
export class StateCopy {
  readonly version: StateVersion;
  readonly bytes: number;
  readonly #context: Context;
  readonly #window: FetchWindow;
  readonly #manifest: readonly PartName[];
  readonly #parts: (StatePart | undefined)[];
  #sources: NodeId[];
  /** Places that are to be asked for. */
  #wanted: number[];
  /** Places that were asked for, and when. */
  readonly #asked = new Map<number, number>();
  #missing: number;
  #copied: number;
  #heardMs: number;
  /** What was asked for last did not come: the next question is a small one. */
  #isSilent = false;
  #isOver = false;

  constructor({ context, window, version, manifest, known, sources }: StateCopyInit) {
    this.#context = context;
    this.#window = window;
    this.version = version;
    this.#manifest = manifest;
    this.#sources = [...sources];
    this.#heardMs = context.nowMs;
    this.bytes = manifest.reduce((sum, { length }) => sum + length, 0);
    this.#parts = partsHere(manifest, known);
    this.#wanted = [...manifest.keys()].filter((place) => this.#parts[place] === undefined);
    this.#missing = this.#wanted.length;
    this.#copied = this.bytes - this.#wanted.reduce((sum, place) => sum + this.#lengthOf(place), 0);
  }

  get isComplete(): boolean {
    return this.#missing === 0;
  }

  get partsCount(): number {
    return this.#manifest.length;
  }

  /** Bytes of it that are here. */
  get copied(): number {
    return this.#copied;
  }

  get heardMs(): number {
    return this.#heardMs;
  }

  get sources(): readonly NodeId[] {
    return this.#sources;
  }

  /** One more node has it. */
  addSource(node: NodeId): void {
    this.#heardMs = this.#context.nowMs;
    if (!this.#sources.includes(node)) this.#sources.push(node);
  }

  /** The node has it no more. False when nobody else is known to have it. */
  dropSource(node: NodeId): boolean {
    this.#sources = this.#sources.filter((source) => source !== node);
    this.#askAgain(() => true);
    return this.#sources.length > 0;
  }

  #lengthOf(place: number): number {
    return this.#manifest[place]?.length ?? 0;
  }

  /** Asks for what is missing, as far as there is room. */
  pump(): void {
    const { nowMs, settings, out } = this.#context;
    const [source] = this.#sources;
    if (source === undefined || this.#isOver) return;
    while (this.#wanted.length > 0 && !(this.#isSilent && this.#asked.size > 0)) {
      const places: number[] = [];
      let bytes = 0;
      while (this.#wanted.length > 0 && bytes < settings.stateChunkBytes) {
        const place = this.#wanted[0] as number;
        const length = this.#lengthOf(place);
        if (!this.#window.take(length)) break;
        this.#wanted.shift();
        this.#asked.set(place, nowMs);
        places.push(place);
        bytes += length;
      }
      if (places.length === 0) return;
      out.sendUrgent(source, { type: 'stateFetch', body: { ...this.version, places, copied: this.#copied } });
    }
  }

  /**
   * What of it came from another node: the parts that are new here, until `kept` takes them off what is on its way. What is
   * not as it is named is asked for again.
   */
  take({ places, pieces }: MessageOf<'statePieces'>): StatePart[] {
    const { nowMs } = this.#context;
    const taken: StatePart[] = [];
    for (const [i, place] of places.entries()) {
      const name = this.#manifest[place];
      const piece = pieces[i];
      if (name === undefined || piece === undefined || this.#parts[place] !== undefined) continue;
      // Only what was asked for: nobody else may make this node look at bytes.
      if (!this.#asked.has(place) || piece.byteLength !== name.length) continue;
      // Its own: what it is cut from is the whole frame.
      const part = partOf(piece.slice());
      if (!isNamed(name, part)) continue;
      this.#asked.delete(place);
      this.#parts[place] = part;
      this.#missing -= 1;
      this.#copied += name.length;
      taken.push(part);
    }
    if (taken.length > 0) {
      this.#heardMs = nowMs;
      this.#isSilent = false;
    }
    return taken;
  }

  /** Parts that were taken are where they should be: others may come. */
  kept(parts: readonly StatePart[]): void {
    for (const { bytes } of parts) this.#window.give(bytes.byteLength);
  }

  tick(): void {
    const { nowMs, settings } = this.#context;
    const late = this.#askAgain((askedMs) => nowMs - askedMs >= settings.holderRetryMs);
    if (late > 0) {
      this.#isSilent = true;
      const [silent, ...others] = this.#sources;
      if (silent !== undefined) this.#sources = [...others, silent];
    }
    this.pump();
  }

  #askAgain(isDue: (askedMs: number) => boolean): number {
    const due = [...this.#asked].filter(([, askedMs]) => isDue(askedMs)).map(([place]) => place);
    for (const place of due) {
      this.#asked.delete(place);
      this.#window.give(this.#lengthOf(place));
    }
    this.#wanted = [...due, ...this.#wanted];
    return due.length;
  }

  /** All of it, once it is complete. */
  state(): StateBytes {
    const parts = this.#parts.filter((part) => part !== undefined);
    return StateBytes.ofParts(parts, this.#context.settings.statePartBytes);
  }

  /** The parts that are here so far. */
  here(): StatePart[] {
    return this.#parts.filter((part) => part !== undefined);
  }

  /** Asks for nothing more. */
  end(): void {
    this.#askAgain(() => true);
    this.#isOver = true;
  }
}

/** The answer of a node that has that state: as much of what was asked for as one message takes. */
export function piecesFor(
  { agent, epoch, sequence, checksum, places }: MessageOf<'stateFetch'>,
  state: StateBytes | undefined,
  chunkBytes: number,
): MessageOf<'statePieces'> {
  const told: number[] = [];
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (const place of state === undefined ? [] : places) {
    const part = state?.parts[place];
    if (part === undefined || bytes >= chunkBytes) break;
    told.push(place);
    pieces.push(part.bytes);
    bytes += part.bytes.byteLength;
  }
  return { agent, epoch, sequence, checksum, places: told, pieces, gone: state === undefined };
}
