/** Addresses inside the mesh: `fd77::/16` and the first 14 bytes of the node id, so that nobody has to assign them. */
import { addressFromBytes, prefixOf, type IpAddress, type Prefix } from '../inet/index.ts';

const PREFIX_BYTES = [0xfd, 0x77];

/** Where all nodes of all meshes live. */
export const MESH_PREFIX: Prefix = prefixOf(
  addressFromBytes(Uint8Array.from({ length: 16 }, (_, i) => PREFIX_BYTES[i] ?? 0)),
  16,
);

/** `nodeId` as bytes, of which the first 14 count: nobody can aim at another's address, for that is 2^112 digests. */
export function addressOfNode(nodeId: Uint8Array): IpAddress {
  return addressFromBytes(Uint8Array.of(...PREFIX_BYTES, ...nodeId.subarray(0, 14)));
}

export function isMeshAddress({ bytes, family }: IpAddress): boolean {
  return family === 6 && PREFIX_BYTES.every((byte, i) => bytes[i] === byte);
}
