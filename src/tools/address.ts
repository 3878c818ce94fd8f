import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { OrchestratorError } from '../errors.ts';

export interface Address {
  address: string;
  family: 4 | 6;
}

/** Finds the addresses of a host name; a parameter, so that tests can play a hostile name server. */
export type Resolve = (host: string) => Promise<Address[]>;

export const systemResolve: Resolve = async host =>
  (await lookup(host, { all: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));

/** IPv4 networks that are not the public internet (IANA special-purpose registry), and the one public address of a cloud's metadata service. */
const SPECIAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '168.63.129.16/32',
];
/** Inside 2000::/3, the only part of IPv6 that is given out for the public: what is set apart, and the tunnels that carry an IPv4 address. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

function blockList(networks: string[], type: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [base, bits] = network.split('/');
    list.addSubnet(base!, Number(bits), type);
  }
  return list;
}

const specialV4 = blockList(SPECIAL_V4, 'ipv4');
const specialV6 = blockList(SPECIAL_V6, 'ipv6');
const publicV6 = blockList(['2000::/3'], 'ipv6');
/** IPv4-mapped addresses, and those that a NAT64 gateway translates: the last 32 bits are the IPv4 address that is reached. */
const carriesV4 = [blockList(['::ffff:0:0/96'], 'ipv6'), blockList(['64:ff9b::/96'], 'ipv6')];

/** The IPv4 address in the last 32 bits of an IPv6 address. */
function embeddedV4(address: string): string {
  const dotted = /(?:^|:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (dotted !== null) return dotted[1]!;
  const hostname = new URL(`http://[${address}]/`).hostname.slice(1, -1); // written in full groups of hex digits
  const [high, low] = (hostname.endsWith('::') ? ['0', '0'] : hostname.split(':').slice(-2)).map(group => Number.parseInt(group || '0', 16));
  return [high! >> 8, high! & 255, low! >> 8, low! & 255].join('.');
}

/** Whether an address belongs to the public internet, and so is none of this machine, its networks or its cloud. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !specialV4.check(address, 'ipv4');
  if (family !== 6 || address.includes('%')) return false;
  if (carriesV4.some(list => list.check(address, 'ipv6'))) return isPublicAddress(embeddedV4(address));
  return publicV6.check(address, 'ipv6') && !specialV6.check(address, 'ipv6');
}

/**
 * The addresses of a host that may be connected to. One private address among them refuses the host, because which one is taken is not ours to say.
 * The caller must connect to one of these very addresses and not look the name up again (C8).
 */
export async function checkedAddresses(host: string, allowPrivate: boolean, resolve: Resolve): Promise<Address[]> {
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  const family = isIP(bare);
  const addresses: Address[] = family === 0 ? await resolve(bare) : [{ address: bare, family: family === 6 ? 6 : 4 }];
  const refused = allowPrivate ? undefined : addresses.find(({ address }) => !isPublicAddress(address));
  if (refused !== undefined) {
    throw new OrchestratorError(
      'ORC-225',
      `${host} is not a public address${refused.address === bare ? '' : ` (it is ${refused.address})`}, and the policy allows only those.`,
      { class: 'policy', help: ['allow it in orchestrator.config.yaml: policy: { network: { private: allow } }'], details: { host, address: refused.address } },
    );
  }
  return addresses;
}
