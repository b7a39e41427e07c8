import { createSecretKey } from 'node:crypto';
import type { ICryptoInterface } from '@chainsafe/libp2p-noise';
import { asCrypto, defaultCrypto, nodeCrypto } from '@chainsafe/libp2p-noise/crypto';

/** From this size on Node's cipher takes less time than the one in WebAssembly, once it is given a key that is ready. */
const largeBytesMin = 512;

/** A connection has two keys, each in one array as long as it lives. */
const ready = new WeakMap<Uint8Array, Uint8Array>();

/** Making Node a key of the bytes anew for every message took 20 µs, more than all the rest of enciphering 2 KB. */
function readyKey(bytes: Uint8Array): Uint8Array {
  let key = ready.get(bytes);
  if (key === undefined) {
    // What takes the one as a key takes the other, which the types of noise do not say.
    key = createSecretKey(bytes) as unknown as Uint8Array;
    ready.set(bytes, key);
  }
  return key;
}

/** The cryptography of noise as it is by itself, but for when and how Node's own cipher is used. */
export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt: (plaintext, nonce, ad, key) =>
    plaintext.byteLength < largeBytesMin
      ? asCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key)
      : nodeCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, readyKey(key)),
  chaCha20Poly1305Decrypt: (ciphertext, nonce, ad, key, destination) =>
    ciphertext.byteLength < largeBytesMin
      ? asCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, destination)
      : nodeCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, readyKey(key)),
};
