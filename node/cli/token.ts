import { importPKCS8, SignJWT } from 'jose';
import { FleetError } from '../../docker/fleet.ts';
import { type Home, openHome } from './home.ts';

const validFor = '12h';

/**
 * A bearer token for the HTTP API of the cluster whose state directory `home` is: a JWT access token (RFC 9068) signed
 * with the key that `up` made there, valid for 12 hours. Throws `FleetError` when there is no such key.
 */
export async function signToken(home: Home | string): Promise<string> {
  const opened = typeof home === 'string' ? openHome(home) : home;
  const pem = await opened.tokenPrivateKey();
  if (pem === undefined) {
    throw new FleetError(
      `There is no key for tokens in ${opened.directory}. Nothing was changed. Run this in the directory where "conclave up" ` +
        'was run, name the cluster with "--name", or make one with "conclave up 5".',
    );
  }
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt' })
    .setIssuer('conclave')
    .setAudience('conclave-admin')
    .setSubject('operator')
    .setIssuedAt()
    .setExpirationTime(validFor)
    .sign(await importPKCS8(pem, 'EdDSA'));
}
