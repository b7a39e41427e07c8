import type { ConnectionProtector } from '@libp2p/interface';
import { preSharedKey } from '@libp2p/pnet';

const handshakeTimeoutMs = 5_000;
const chunkBytesMax = 64 * 1024;

type ProtectorFactory = () => ConnectionProtector;

/** Throws when the bytes are no network key. */
export function checkNetworkKey(networkKey: Uint8Array): void {
  preSharedKey({ psk: networkKey })();
}

/**
 * Guards every connection with the network's pre-shared key. The cipher below it (xsalsa20 1.2) works in one
 * WebAssembly memory of 640 KiB that all connections share, and once a single write exceeds it, growing the memory for
 * one connection detaches it from the others, which grow it again in turn until the process ends at 64 MiB. So no write
 * is let through that would not fit.
 */
export function guardWithKey(networkKey: Uint8Array): ProtectorFactory {
  const create = preSharedKey({ psk: networkKey, timeout: handshakeTimeoutMs });
  return () => {
    const inner = create() as ConnectionProtector;
    return {
      protect: async (connection, options) => {
        const guarded = await inner.protect(connection, options);
        (guarded as { maxMessageSize?: number }).maxMessageSize = chunkBytesMax;
        return guarded;
      },
    };
  };
}
