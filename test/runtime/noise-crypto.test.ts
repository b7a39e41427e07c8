import { randomBytes } from 'node:crypto';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';
import { expect, test } from 'vitest';
import { noiseCrypto } from '../../node/runtime/noise-crypto.ts';

const key = new Uint8Array(randomBytes(32));
const nonce = new Uint8Array(randomBytes(12));
/** Of small ones by WebAssembly, of large ones by Node. */
const refused = /^Invalid chacha20poly1305 decryption$|unable to authenticate data/;
const ad = new Uint8Array(randomBytes(32));

test.each([0, 1, 495, 496, 511, 512, 513, 1_199, 1_200, 65_519])(
  '%i bytes are enciphered as by noise itself',
  (size) => {
    const plain = new Uint8Array(randomBytes(size));
    const ours = noiseCrypto.chaCha20Poly1305Encrypt(plain, nonce, ad, key).subarray();
    expect(Buffer.from(ours)).toEqual(
      Buffer.from(defaultCrypto.chaCha20Poly1305Encrypt(plain, nonce, ad, key).subarray()),
    );
    expect(Buffer.from(noiseCrypto.chaCha20Poly1305Decrypt(ours, nonce, ad, key).subarray())).toEqual(
      Buffer.from(plain),
    );
    const other = new Uint8Array(randomBytes(32));
    const forged = Uint8Array.from(ours);
    forged[0] = (forged[0] as number) ^ 1;
    expect(() => noiseCrypto.chaCha20Poly1305Decrypt(forged, nonce, ad, key)).toThrow(refused);
    expect(() => noiseCrypto.chaCha20Poly1305Decrypt(ours, nonce, ad, other)).toThrow(refused);
  },
);
