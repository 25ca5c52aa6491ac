import { DISCOVERY_PORT } from '../api/index.ts';
import { addressFromBytes, endpointOf, type Endpoint } from '../inet/index.ts';

/** Where beacons go on each link: ff12::f76d:7077 (docs/decisions/0006-beacon-port-and-group.md). */
export const BEACON_GROUP = addressFromBytes(
  Uint8Array.of(0xff, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf7, 0x6d, 0x70, 0x77),
);

/** The group on one link. */
export function beaconEndpoint(interfaceIndex: number): Endpoint {
  return endpointOf(BEACON_GROUP, DISCOVERY_PORT, interfaceIndex);
}
