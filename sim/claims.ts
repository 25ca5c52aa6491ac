/** Descriptions of identities that were made up, right in their form, which claim what belongs to others. */
import { identityPrimitives } from '../src/crypto/node.ts';
import type { Endpoint } from '../src/inet/index.ts';
import { after, millis, type Millis } from '../src/machine/index.ts';
import { DESCRIPTION_LIFE, signDescription, type Description } from '../src/mesh/description.ts';
import { ROUTED } from '../src/mesh/gateways.ts';
import { identityFromSeed, type Identity } from '../src/mesh/identity.ts';
import { provedKey } from '../src/mesh/wireguard-key-for-testing.ts';
import type { Random } from '../test/fuzz/random.ts';
import type { Belongings } from './world.ts';

const MESH = 'test';
const identities = new Map<number, Identity>();

/** The identity with this number, the same in every run. */
export function madeUpIdentity(number: number): Identity {
  let identity = identities.get(number);
  if (identity === undefined) {
    const seed = Uint8Array.from({ length: 32 }, (_, i) => (i < 4 ? number >>> (8 * i) : 0xa5));
    identity = identityFromSeed(seed, identityPrimitives);
    identities.set(number, identity);
  }
  return identity;
}

/** Claims what belongs to some of `owners`, and that it can be reached at some of `endpoints`. */
export function makeClaim(
  identity: Identity,
  chance: Random,
  now: Millis,
  { owners, endpoints }: { readonly owners: readonly Belongings[]; readonly endpoints: readonly Endpoint[] },
): Description {
  const owner = owners.length === 0 ? undefined : chance.pick(owners);
  const issuedAt = millis(Math.floor(now));
  const claims = (share: number) => chance.below(share) === 0;
  const prefixes = owners.flatMap(({ offers }) => offers);
  const networks = claims(2) ? prefixes.filter(() => claims(2)) : [];
  return signDescription(
    {
      meshName: MESH,
      ...provedKey(identity.seed, identity.publicKey),
      // A key of somebody else comes with a proof that is not its own.
      ...(claims(2) && owner !== undefined && { wireGuardPublicKey: owner.wireGuardPublicKey }),
      sequence: issuedAt + (claims(4) ? 1_000_000 : 0),
      hostName: (claims(2) && owner?.hostName) || `mallory-${identity.nodeId.slice(0, 4)}`,
      issuedAt,
      expiresAt: after(issuedAt, DESCRIPTION_LIFE),
      endpoints: endpoints.filter(() => claims(3)).map((endpoint) => ({ endpoint, kind: 'configured' })),
      networks: networks.map((prefix) => ({ prefix, kind: ROUTED, preference: chance.pick([0, 100, 65_535]) })),
      capabilities: claims(2) ? ['relay'] : [],
    },
    identity,
    identityPrimitives,
  );
}
