import { addressFromBytes, type Endpoint, type IpAddress } from '../inet/index.ts';

/** In lanes of 32 bits. The version is odd while somebody writes. */
const VERSION = 0;
const PORT = 1;
const SCOPE = 2;
const ADDRESS = 3;
const LOCAL = 8;
const LANES = 13;

/**
 * Where a peer is, for all threads at once: who hears from it at another place writes that down before the packet is
 * delivered, so that the answer goes there whichever thread sends it. Nobody ever waits: two that write at once are of
 * different opinions, and the next message settles it.
 */
export class SharedEndpoint {
  readonly memory: SharedArrayBuffer;
  readonly #lanes: Uint32Array;
  #version = 0;
  #known: Endpoint | undefined;

  /** `memory` is that of the thread that made it; without it, this is that thread. */
  constructor(memory = new SharedArrayBuffer(4 * LANES)) {
    this.memory = memory;
    this.#lanes = new Uint32Array(memory);
  }

  /** Another object only when it is another endpoint. */
  get(): Endpoint | undefined {
    const version = Atomics.load(this.#lanes, VERSION);
    if (version !== this.#version && version % 2 === 0) this.#read(version);
    return this.#known;
  }

  set(endpoint: Endpoint): void {
    const version = Atomics.load(this.#lanes, VERSION);
    if (version % 2 !== 0 || Atomics.compareExchange(this.#lanes, VERSION, version, version + 1) !== version) return;
    Atomics.store(this.#lanes, PORT, endpoint.port);
    Atomics.store(this.#lanes, SCOPE, endpoint.scopeId);
    this.#writeAddress(ADDRESS, endpoint.address);
    this.#writeAddress(LOCAL, endpoint.local);
    Atomics.store(this.#lanes, VERSION, version + 2);
    this.#version = version + 2;
    this.#known = endpoint;
  }

  #read(version: number): void {
    const address = this.#readAddress(ADDRESS);
    const local = this.#readAddress(LOCAL);
    const port = Atomics.load(this.#lanes, PORT);
    const scopeId = Atomics.load(this.#lanes, SCOPE);
    // What was read while somebody wrote is of no use; the next call reads again.
    if (Atomics.load(this.#lanes, VERSION) !== version || address === undefined) return;
    this.#version = version;
    this.#known = { address, port, scopeId, ...(local === undefined ? {} : { local }) };
  }

  /** The family, 0 for none, and up to four words. */
  #writeAddress(at: number, address: IpAddress | undefined): void {
    Atomics.store(this.#lanes, at, address?.family ?? 0);
    if (address === undefined) return;
    const words = new DataView(address.bytes.buffer, address.bytes.byteOffset, address.bytes.length);
    for (let i = 0; 4 * i < words.byteLength; i++) Atomics.store(this.#lanes, at + 1 + i, words.getUint32(4 * i));
  }

  #readAddress(at: number): IpAddress | undefined {
    const family = Atomics.load(this.#lanes, at);
    if (family === 0) return undefined;
    const words = new DataView(new ArrayBuffer(family === 4 ? 4 : 16));
    for (let i = 0; 4 * i < words.byteLength; i++) words.setUint32(4 * i, Atomics.load(this.#lanes, at + 1 + i));
    return addressFromBytes(new Uint8Array(words.buffer));
  }
}
