/** What the attacker knows: what everybody may know of the nodes, what it has seen, and the identities that it made up. */
import { identityPrimitives } from '../src/crypto/node.ts';
import { addressFromBytes, endpointOf, parseAddress, type Endpoint, type IpAddress } from '../src/inet/index.ts';
import type { Description } from '../src/mesh/description.ts';
import { meshTag, type Message, type News } from '../src/mesh/messages.ts';
import { PORT } from '../src/mesh/network-for-testing.ts';
import { RELAY_PORT } from '../src/mesh/paths.ts';
import { signSeqno, type SeqnoStatement } from '../src/mesh/seqno-statement.ts';
import type { Random } from '../test/fuzz/random.ts';
import { madeUpIdentity, makeClaim } from './claims.ts';
import type { Knowledge } from './lies.ts';
import { addressOf, networksOf } from './schedule.ts';
import { MEMBER, type World } from './world.ts';

/** The victim who has nothing to do with the mesh. */
export const BYSTANDER = addressOf([198, 51, 100, 7]);
export const BYSTANDER_ON_LINK = addressFromBytes(Uint8Array.from({ length: 16 }, (_, i) => [0xfe, 0x80][i] ?? 0xb1));
const NOWHERE = ['127.0.0.1', '::1', '255.255.255.255', '224.0.0.1', 'ff02::1', '0.0.0.0', 'fd77::1'].map(
  (text) => parseAddress(text) as IpAddress,
);
export const TAG = meshTag('test', identityPrimitives);
const MOST_REMEMBERED = 100;
const MADE_UP = 500;
/** From this number on, identities are made up in masses. */
export const FIRST_SYBIL = 100_000;

export class Liar implements Knowledge {
  chance: Random;
  readonly #world: World;
  readonly #nonces: bigint[] = [];
  readonly #descriptions: (News & { readonly bytes: Uint8Array })[] = [];
  readonly #statements: SeqnoStatement[] = [];
  readonly #numberByNodeId = new Map<string, number>();
  readonly #claims = new Map<string, Description>();

  constructor(world: World, chance: Random) {
    this.#world = world;
    this.chance = chance;
  }

  /** Remembers what may be useful. */
  learn(message: Message): void {
    if (message.kind === 'hello') remember(this.#nonces, message.challenge, MOST_REMEMBERED);
    if ('nonce' in message) remember(this.#nonces, message.nonce, MOST_REMEMBERED);
    if (message.kind === 'seqno-statements') {
      for (const statement of message.statements) remember(this.#statements, statement, MOST_REMEMBERED);
    }
    if (message.kind === 'description-part' && message.bytes.length === message.total) {
      remember(this.#descriptions, message, MOST_REMEMBERED);
    }
  }

  news(): News {
    const honest = this.#someRunning();
    if (honest === undefined || this.chance.below(3) === 0) return this.madeUp(this.chance.below(MADE_UP));
    const nodeId = this.#world.nodeId(honest);
    const sequence = this.#world.sequence(honest);
    const sequences = [sequence, sequence, sequence + 1, sequence + 5, sequence - 1, 0, sequence + 3_600_000, 2 ** 50];
    return { nodeId, sequence: this.chance.pick(sequences) };
  }

  madeUp(number: number): News {
    const { nodeId } = madeUpIdentity(number);
    this.#numberByNodeId.set(nodeId, number);
    return { nodeId, sequence: Math.floor(this.#world.network.unixTime()) };
  }

  /** The description of a made-up identity that others have been told of. */
  claimOf(nodeId: string): Description | undefined {
    const number = this.#numberByNodeId.get(nodeId);
    if (number === undefined) return undefined;
    let claim = this.#claims.get(nodeId);
    if (claim === undefined || this.chance.below(4) === 0) {
      const endpoints = Array.from({ length: 4 }, () => this.endpoint());
      // Many identities are an attack of their own, whatever they claim.
      const owners = number < FIRST_SYBIL ? [...this.#world.belongings.values()] : [];
      const now = this.#world.network.unixTime();
      claim = makeClaim(madeUpIdentity(number), this.chance, now, { owners, endpoints });
      this.#claims.set(nodeId, claim);
    }
    return claim;
  }

  meshAddress(): IpAddress {
    const name = this.#someRunning();
    return name === undefined ? madeUpIdentity(1).address : this.#world.network.node(name).address;
  }

  ownAddress(): IpAddress {
    const { network } = this.#world;
    return network.isRunning(MEMBER) ? network.node(MEMBER).address : madeUpIdentity(0).address;
  }

  endpoint(): Endpoint {
    const { hosts, machines } = this.#world.schedule;
    const port = this.chance.pick([PORT, 53, 7078, RELAY_PORT, 1 + this.chance.below(65_535)]);
    switch (this.chance.below(5)) {
      case 0:
      case 1:
        return endpointOf(BYSTANDER, port);
      case 2: {
        const plan = this.chance.pick(hosts);
        return this.#world.endpointOn(plan, this.chance.pick(networksOf(plan))) ?? endpointOf(BYSTANDER, port);
      }
      case 3:
        return endpointOf(machines[0].address ?? BYSTANDER, PORT);
      default:
        return endpointOf(this.chance.pick([...NOWHERE, this.meshAddress()]), port);
    }
  }

  bystander(): Endpoint {
    return endpointOf(BYSTANDER, 1 + this.chance.below(65_535));
  }

  nonce(): bigint {
    const isSeen = this.#nonces.length > 0 && this.chance.below(2) === 0;
    return isSeen ? this.chance.pick(this.#nonces) : BigInt(this.chance.uint32()) << 32n;
  }

  description(): News & { readonly bytes: Uint8Array } {
    const isTrue = this.#descriptions.length > 0 && this.chance.below(2) === 0;
    if (isTrue) return { ...this.chance.pick(this.#descriptions), ...(this.chance.below(2) === 0 && this.news()) };
    const { nodeId } = this.madeUp(this.chance.below(MADE_UP));
    return this.claimOf(nodeId) as Description;
  }

  statement(seqno: number): SeqnoStatement {
    const isSeen = this.#statements.length > 0 && this.chance.below(2) === 0;
    if (isSeen) return this.chance.pick(this.#statements);
    const issuedAt = Math.floor(this.#world.network.unixTime()) + this.chance.pick([0, 1000, 3_600_000]);
    const madeUp = madeUpIdentity(this.chance.below(MADE_UP));
    const statement = signSeqno({ seqno, issuedAt }, TAG, madeUp, identityPrimitives);
    return { ...statement, nodeId: this.chance.pick([madeUp.nodeId, this.news().nodeId]) };
  }

  /** A true description, perhaps not the newest, of `nodeId`. */
  copyOf(nodeId: string): (News & { readonly bytes: Uint8Array }) | undefined {
    const copies = this.#descriptions.filter((copy) => copy.nodeId === nodeId);
    return copies.length === 0 ? undefined : this.chance.pick(copies);
  }

  #someRunning(): string | undefined {
    const running = this.#world.schedule.hosts.filter(({ name }) => this.#world.network.isRunning(name));
    return running.length === 0 ? undefined : this.chance.pick(running).name;
  }
}

export function remember<T>(list: T[], value: T, most: number): void {
  list.push(value);
  if (list.length > most) list.shift();
}
