import { addressFromBytes, endpointOf, type Endpoint } from '../inet/index.ts';
import { NativeBuffer } from './native-buffer.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;

/** `struct sockaddr_in` (ip(7)) and `struct sockaddr_in6` (ipv6(7)), in bytes. Ports and addresses are in network order. */
const SOCKADDR_IN = { family: 0, port: 2, address: 4, end: 16 } as const;
const SOCKADDR_IN6 = { family: 0, port: 2, flow: 4, address: 8, scopeId: 24, end: 28 } as const;

/** An address and port as the kernel wants and gives them, in memory that is used again. */
export class SocketAddress {
  /** What the kernel may write here: room for either family. */
  static readonly CAPACITY = SOCKADDR_IN6.end;

  readonly #sockaddr = new NativeBuffer(SOCKADDR_IN6.end);
  readonly #words = new Uint32Array(this.#sockaddr.bytes.buffer, this.#sockaddr.bytes.byteOffset, 7);
  readonly address = this.#sockaddr.address;
  readonly #ipv4 = this.#sockaddr.bytes.subarray(SOCKADDR_IN.address, 8);
  readonly #ipv6 = this.#sockaddr.bytes.subarray(SOCKADDR_IN6.address, SOCKADDR_IN6.scopeId);
  readonly #local = new Uint8Array(16);
  #localLength = 0;

  get family(): 4 | 6 {
    return this.#isIpv6 ? 6 : 4;
  }

  /** The IP address, 4 or 16 bytes that are used again. */
  get ipAddress(): Uint8Array {
    return this.#isIpv6 ? this.#ipv6 : this.#ipv4;
  }

  get length(): number {
    return this.#isIpv6 ? SOCKADDR_IN6.end : SOCKADDR_IN.end;
  }

  /** Whether the remote address, port and scope are the same. The flow label is not part of an endpoint. */
  equals(other: SocketAddress): boolean {
    const a = this.#words;
    const b = other.#words;
    // Family and port lie in the first word; word 1 is the IPv4 address, or IPv6's flow label.
    if (a[0] !== b[0]) return false;
    if (!this.#isIpv6) return a[1] === b[1];
    return a[2] === b[2] && a[3] === b[3] && a[4] === b[4] && a[5] === b[5] && a[6] === b[6];
  }

  /** The address of this host that belongs to the conversation: 4 or 16 bytes of `local`, or none of it. */
  get localLength(): number {
    return this.#localLength;
  }

  get local(): Uint8Array {
    return this.#local;
  }

  /** Takes the first `length` bytes of `bytes` for the address of this host; 0 forgets it. */
  setLocal(bytes: Uint8Array, length: number): void {
    for (let i = 0; i < length; i++) this.#local[i] = bytes[i];
    this.#localLength = length;
  }

  hasSameLocal(other: SocketAddress): boolean {
    if (this.#localLength !== other.#localLength) return false;
    for (let i = 0; i < this.#localLength; i++) if (this.#local[i] !== other.#local[i]) return false;
    return true;
  }

  fromEndpoint({ address, port, scopeId, local }: Endpoint): void {
    const { bytes, view } = this.#sockaddr;
    bytes.fill(0);
    view.setUint16(SOCKADDR_IN.family, address.family === 6 ? AF_INET6 : AF_INET, true);
    view.setUint16(SOCKADDR_IN.port, port);
    bytes.set(address.bytes, address.family === 6 ? SOCKADDR_IN6.address : SOCKADDR_IN.address);
    if (address.family === 6) view.setUint32(SOCKADDR_IN6.scopeId, scopeId, true);
    this.setLocal(local?.bytes ?? this.#local, local?.bytes.length ?? 0);
  }

  toEndpoint(): Endpoint {
    const { view } = this.#sockaddr;
    const port = view.getUint16(SOCKADDR_IN.port);
    const address = addressFromBytes(this.ipAddress.slice());
    const endpoint = endpointOf(address, port, this.#isIpv6 ? view.getUint32(SOCKADDR_IN6.scopeId, true) : 0);
    if (this.#localLength === 0) return endpoint;
    return { ...endpoint, local: addressFromBytes(this.#local.slice(0, this.#localLength)) };
  }

  get #isIpv6(): boolean {
    return (this.#words[0] & 0xffff) === AF_INET6;
  }
}
