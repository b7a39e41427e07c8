import { type CryptoKey, importSPKI, errors as joseErrors, jwtVerify } from 'jose';
import { errors } from '../core/errors.ts';

const tokensRememberedMax = 256;

/** Whom a token must be from, and for whom (RFC 8725, sections 3.1, 3.8, 3.9 and 3.11; RFC 9068 for `typ`). */
const expected = {
  algorithms: ['EdDSA'],
  typ: 'at+jwt',
  issuer: 'conclave',
  audience: 'conclave-admin',
  requiredClaims: ['exp'],
};

/** Checks the bearer tokens of the HTTP API against one public key. */
export class BearerCheck {
  readonly #key: CryptoKey;
  /** Tokens whose signature was good, and when they expire, ms since 1970: a signature is checked once, not each time. */
  readonly #good = new Map<string, number>();

  private constructor(key: CryptoKey) {
    this.#key = key;
  }

  /** `pem`: the public key (SPKI, Ed25519). Throws when it is none. */
  static async create(pem: string): Promise<BearerCheck> {
    return new BearerCheck(await importSPKI(pem, 'EdDSA'));
  }

  /** Whether the token of an `Authorization` header was found good before and has not expired since. */
  knows(header: string | undefined): boolean {
    const expiresMs = this.#good.get(tokenOf(header) ?? '');
    return expiresMs !== undefined && Date.now() < expiresMs;
  }

  /** Takes an `Authorization` header. Throws `tokenMissing` or `tokenInvalid`; neither repeats any of the token. */
  async check(header: string | undefined): Promise<void> {
    const token = tokenOf(header);
    if (token === undefined) throw errors.tokenMissing({});
    if (this.knows(header)) return;
    this.#good.delete(token);
    let exp: number | undefined;
    try {
      ({ exp } = (await jwtVerify(token, this.#key, expected)).payload);
    } catch (error) {
      throw errors.tokenInvalid({ reason: reasonOf(error) });
    }
    if (this.#good.size >= tokensRememberedMax) this.#good.clear();
    this.#good.set(token, Number(exp) * 1_000);
  }
}

const tokenOf = (header: string | undefined): string | undefined => /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1];

function reasonOf(error: unknown): string {
  if (error instanceof joseErrors.JWTExpired) return 'it has expired';
  if (error instanceof joseErrors.JWTClaimValidationFailed) return `its "${error.claim}" is not the one expected`;
  if (error instanceof joseErrors.JWSSignatureVerificationFailed)
    return 'it was not signed with the key of this cluster';
  if (error instanceof joseErrors.JOSEAlgNotAllowed) return 'its algorithm is not EdDSA';
  return 'it is not a signed token';
}
