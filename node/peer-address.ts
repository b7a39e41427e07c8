import { peerIdFromString } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';

const hosts = '(ip6zone/)?(ip4|ip6|dns|dns4|dns6|dnsaddr)';
const listenForm = new RegExp(`^${hosts}/tcp$`);
const dialForm = new RegExp(`^${hosts}/tcp(/p2p)?$`);
const defaultPort = '7000';

/** An address to listen on, as it came; undefined when it is no multiaddr of a host and a TCP port. */
export function toListenAddress(text: string): string | undefined {
  return read(text, listenForm) === undefined ? undefined : text;
}

/** An address under which others reach this node: as one to listen on, but port 0 leads nowhere. */
export function toAnnouncedAddress(text: string): string | undefined {
  const address = read(text, listenForm);
  return address === undefined || portOf(address) === 0 ? undefined : text;
}

/** A multiaddr to dial, perhaps with a node's id, made of one or of `host:port` or a host; undefined when it is none. */
export function toJoinAddress(text: string): string | undefined {
  const long = text.startsWith('/') ? text : fromHostAndPort(text);
  const address = long === undefined ? undefined : read(long, dialForm);
  return address === undefined || portOf(address) === 0 ? undefined : long;
}

function read(text: string, form: RegExp): Multiaddr | undefined {
  try {
    const address = multiaddr(text);
    const parts = address.getComponents();
    for (const { name, value } of parts) if (name === 'p2p') peerIdFromString(value ?? '');
    return form.test(parts.map(({ name }) => name).join('/')) ? address : undefined;
  } catch {
    return undefined;
  }
}

const portOf = (address: Multiaddr): number =>
  Number(address.getComponents().find(({ name }) => name === 'tcp')?.value);

function fromHostAndPort(text: string): string | undefined {
  const [, host, port = defaultPort] = /^(\w[\w.-]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined) return undefined;
  const family = /^\d+(\.\d+){3}$/.test(host) ? 'ip4' : 'dns4';
  return `/${family}/${host}/tcp/${port}`;
}
