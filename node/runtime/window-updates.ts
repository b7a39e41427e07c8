import type { Stream } from '@libp2p/interface';

/** What this knows of a yamux stream beyond the interface of streams. */
interface Windowed {
  /** Bytes that the other side may have on their way, and how many of them are left to it. */
  recvWindow: number;
  recvWindowCapacity: number;
  sendWindowUpdate(): void;
}

/** At most this share of the window is used up before the other side is told that it is free again. */
const usedShareMax = 0.5;

/**
 * Has a stream tell its window when half of it is used up, as yamux's other implementations do; this one tells it for
 * every chunk that comes, which makes two messages of each. Leaves any stream alone that does not look as expected.
 */
export function saveWindowUpdates(stream: Stream): void {
  const windowed = stream as unknown as Partial<Windowed>;
  const { sendWindowUpdate } = windowed;
  if (typeof sendWindowUpdate !== 'function' || typeof windowed.recvWindow !== 'number') return;
  if (typeof windowed.recvWindowCapacity !== 'number') return;
  let isAccepted = false;
  windowed.sendWindowUpdate = () => {
    const { recvWindow = 0, recvWindowCapacity = 0 } = windowed;
    // The first also accepts the stream.
    if (isAccepted && recvWindowCapacity > recvWindow * usedShareMax) return;
    isAccepted = true;
    sendWindowUpdate.call(stream);
  };
}
