/**
 * The attacker of a run. Its machines stand on some networks; they see all that is sent on their links and what is sent to
 * them elsewhere, send from any address, and answer as whom they pretend to be. As a member it has a node besides, which
 * behaves, and in whose name it lies inside tunnels. It reads no WireGuard message that is not for its node: of others it
 * knows the length.
 */
import { addressesEqual, addressFromBytes, endpointOf, formatEndpoint, type Endpoint } from '../src/inet/index.ts';
import { millis } from '../src/machine/index.ts';
import { answerRequest } from '../src/mesh/description-exchange.ts';
import type { Description } from '../src/mesh/description.ts';
import { lengthOfMessage } from '../src/mesh/device-for-testing.ts';
import { NO_SIGNATURE, readMessage, writeMessage, type Message } from '../src/mesh/messages.ts';
import { PORT, type Sighting, type Wire } from '../src/mesh/network-for-testing.ts';
import { Random } from '../test/fuzz/random.ts';
import { BYSTANDER, BYSTANDER_ON_LINK, FIRST_SYBIL, Liar, remember, TAG } from './liar.ts';
import { LIES } from './lies.ts';
import { networksOf, ROUTED_NETWORK, type Attack, type HostPlan } from './schedule.ts';
import { MEMBER, type World } from './world.ts';

/** Per lie: IP and UDP outside, and the same again with WireGuard's inside. */
const OUTSIDE_OVERHEAD = 48;
const INSIDE_OVERHEAD = 128;
const MOST_REACTIONS = 4000;
const MOST_REMEMBERED = 200;
const SYBILS = 40;
/** More than a node has places for. */
const MOST_SYBILS = 1400;
/** Longer than a probe and a handshake, shorter than what applications send. */
const SMALL = 200;
const REACTION_TIME = millis(1);
/** Nobody signs for somebody else. */
const UNSIGNED = { target: undefined, signature: NO_SIGNATURE };

const POINTING = new Set<Message['kind']>(['call', 'probe-reply', 'description-part', 'announce', 'summary']);

type Machine = World['schedule']['machines'][number];

/** A place from which a host can be spoken to. */
interface Way {
  readonly machine: Machine;
  readonly network: number;
  readonly host: HostPlan;
  readonly to: Endpoint;
}

export class Attacker {
  /** Of all lies, with headers. */
  sentBytes = 0;
  /** Of those that may have somebody send to the bystander. */
  pointingBytes = 0;
  readonly #world: World;
  readonly #liar: Liar;
  readonly #chance: Random;
  readonly #forwards: 'all' | 'small' | 'nothing';
  /** Whom we pretend to be, by our endpoint and the host that is told so. */
  readonly #personas = new Map<string, HostPlan>();
  readonly #seen: { readonly datagram: Uint8Array; readonly from: Endpoint }[] = [];
  /** Against whom the present attack is, if it is against one. */
  #target: HostPlan | undefined;
  #reactions = 0;
  #sybils = FIRST_SYBIL;

  constructor(world: World) {
    this.#world = world;
    this.#chance = new Random(world.schedule.seed, 5);
    this.#liar = new Liar(world, this.#chance);
    this.#forwards = this.#chance.pick(['all', 'small', 'small', 'nothing'] as const);
  }

  start(): void {
    const { network, schedule } = this.#world;
    this.#world.isAttacked = true;
    for (const machine of schedule.machines) {
      const addresses = machine.address === undefined ? [] : [machine.address];
      network.attach(machine.name, { links: machine.links, addresses }, (wire, from) => {
        if (from.scopeId === ROUTED_NETWORK && machine.address !== undefined) {
          this.#handle(machine, wire, { from, to: endpointOf(machine.address, PORT) });
        }
      });
    }
    network.onSent = (sighting) => this.#see(sighting);
    network.onTunnelDatagram = (host, datagram, from) => host === MEMBER && this.#hear(datagram, from);
    if (schedule.kinds.has('blackhole')) {
      network.onRelayRoutes = () => {
        if (network.isRunning(MEMBER)) network.device(MEMBER).relayRoutes.clear();
      };
    }
    for (const attack of schedule.attacks) network.schedule(attack.at, () => this.#act(attack));
  }

  // What it does by itself

  #act({ kind, chance, target }: Attack): void {
    this.#target = target === undefined ? undefined : this.#world.schedule.hosts[target];
    this.#liar.chance = new Random(chance, 0);
    switch (kind) {
      case 'sybils':
        return this.#sendSybils();
      case 'replay':
        return this.#replay((datagram) => datagram);
      case 'rewrite':
        return this.#replay((datagram, { chance: random }) => {
          const at = random.below(datagram.length);
          return datagram.with(at, random.below(256));
        });
      case 'impersonate':
        return this.#pretend();
      case 'claim':
        return this.#offer(this.#liar.madeUp(this.#liar.chance.below(20)).nodeId);
      case 'blackhole':
        return;
      default:
        return this.#tell(LIES[kind](this.#liar));
    }
  }

  /** Tells somebody a lie, inside a tunnel if there is one. */
  #tell(message: Message): void {
    const { network } = this.#world;
    const { chance } = this.#liar;
    const isInside = network.isRunning(MEMBER) && chance.below(4) > 0;
    const to = this.#target ?? chance.pick(this.#world.schedule.hosts);
    if (isInside) return this.#sendInside(message, to);
    const way = this.#someWay();
    if (way !== undefined) this.#send(way, writeMessage(message, TAG), this.#someSource(way));
  }

  /** Says to a host that another is where we are, and is ready to prove it. */
  #pretend(): void {
    const way = this.#someWay();
    if (way === undefined) return;
    const { chance } = this.#liar;
    const other = chance.pick(this.#world.schedule.hosts);
    const belongings = this.#world.belongings.get(other.name);
    if (other === way.host || belongings === undefined) return;
    const source = this.#ownEndpoint(way.machine, way.network);
    this.#personas.set(personaKey(source, way.host), other);
    this.#personas.set(personaKey(source, other), way.host);
    this.#send(way, this.#helloOf(other, { challenge: this.#liar.nonce(), echo: 0n }), source);
  }

  #offer(nodeId: string): void {
    const { sequence } = this.#liar.claimOf(nodeId) as Description;
    if (this.#world.network.isRunning(MEMBER) && this.#liar.chance.below(2) === 0) {
      const to = this.#target ?? this.#liar.chance.pick(this.#world.schedule.hosts);
      return this.#sendInside({ kind: 'announce', nodeId, sequence }, to);
    }
    const way = this.#someWay();
    if (way === undefined) return;
    const hello = { ...UNSIGNED, knownSequence: 0, challenge: 0n, echo: 0n, pleaseAnswer: false };
    const bytes = writeMessage({ kind: 'hello', nodeId, sequence, ...hello }, TAG);
    this.#send(way, bytes, this.#madeUpSource(way, this.#liar.chance.below(200)));
  }

  #sendSybils(): void {
    const way = this.#someWay();
    if (way === undefined) return;
    for (let i = 0; i < SYBILS; i++) {
      if (this.#sybils === FIRST_SYBIL + MOST_SYBILS) this.#sybils = FIRST_SYBIL;
      const { nodeId, sequence } = this.#liar.madeUp(this.#sybils++);
      const hello = { ...UNSIGNED, knownSequence: 0, challenge: 0n, echo: 0n, pleaseAnswer: false };
      const bytes = writeMessage({ kind: 'hello', nodeId, sequence, ...hello }, TAG);
      this.#send(way, bytes, this.#madeUpSource(way, this.#sybils));
    }
  }

  #replay(change: (datagram: Uint8Array, liar: Liar) => Uint8Array): void {
    const way = this.#someWay();
    if (way === undefined || this.#seen.length === 0) return;
    const { datagram, from } = this.#liar.chance.pick(this.#seen);
    this.#send(way, change(datagram, this.#liar), this.#liar.chance.pick([from, this.#someSource(way)]));
  }

  // How it answers

  #see({ host, wire, from, to, link }: Sighting): void {
    if (this.#isMine(host) || host === MEMBER || link === ROUTED_NETWORK || this.#world.isCut(host, link)) return;
    const machine = this.#world.schedule.machines.find(({ links }) => links.includes(link));
    if (machine !== undefined) this.#handle(machine, wire, { from, to });
  }

  #handle(machine: Machine, wire: Wire, { from, to }: Pick<Sighting, 'from' | 'to'>): void {
    const message = wire.kind === 'mesh' ? readMessage(wire.datagram, TAG) : undefined;
    if (wire.kind === 'mesh') remember(this.#seen, { datagram: wire.datagram, from }, MOST_REMEMBERED);
    if (typeof message === 'object') this.#liar.learn(message);
    const host = this.#hostAt(from);
    if (host === undefined || to === undefined || this.#hostAt(to) !== undefined) return;
    if (++this.#reactions > MOST_REACTIONS) return;
    const { kinds } = this.#world.schedule;
    const way = { machine, network: from.scopeId, host, to: from };
    this.#world.network.schedule(REACTION_TIME, () => {
      if (kinds.has('impersonate')) this.#forward(way, wire, to);
      if (typeof message === 'object') this.#answer(message, way, to);
    });
  }

  #answer(message: Message, way: Way, as: Endpoint): void {
    const { kinds } = this.#world.schedule;
    if (message.kind === 'hello' && message.challenge !== 0n && kinds.has('impersonate')) {
      const persona = this.#personas.get(personaKey(as, way.host)) ?? this.#chance.pick(this.#world.schedule.hosts);
      this.#send(way, this.#helloOf(persona, { challenge: this.#liar.nonce(), echo: message.challenge }), as);
    }
    if (message.kind === 'description-request') {
      const answer = this.#answerTo(message);
      if (answer !== undefined) this.#send(way, writeMessage(answer, TAG), as);
    }
  }

  /** Made-up identities are shown as soon as they are asked for; of others there are copies. */
  #answerTo(request: Message & { kind: 'description-request' }): Message | undefined {
    const { kinds } = this.#world.schedule;
    const claim = kinds.has('claim') || kinds.has('sybils') ? this.#liar.claimOf(request.nodeId) : undefined;
    const described = claim ?? this.#liar.copyOf(request.nodeId);
    return described && answerRequest(request, described as Description);
  }

  /** Between two hosts, each of which takes us for the other. */
  #forward({ machine, host }: Way, wire: Wire, to: Endpoint): void {
    const other = this.#personas.get(personaKey(to, host));
    if (other === undefined) return;
    const isSmall = wire.kind === 'mesh' || lengthOfMessage(wire) <= SMALL;
    if (this.#forwards === 'nothing' || (this.#forwards === 'small' && !isSmall)) return;
    const way = this.#ways(other).find((candidate) => candidate.machine === machine);
    if (way === undefined) return;
    const source = this.#ownEndpoint(machine, way.network);
    this.#personas.set(personaKey(source, other), host);
    this.#send(way, wire.kind === 'mesh' ? wire.datagram : wire, source);
  }

  /** @returns whether the member's node is not to hear of it */
  #hear(datagram: Uint8Array, from: Parameters<World['network']['onTunnelDatagram']>[2]): boolean {
    const message = readMessage(datagram, TAG);
    if (typeof message === 'string') return false;
    this.#liar.learn(message);
    const host = this.#world.schedule.hosts.find(({ name }) => {
      const address = this.#world.belongings.get(name)?.address;
      return address !== undefined && addressesEqual(address, from);
    });
    if (host === undefined || message.kind !== 'description-request') return false;
    const answer = this.#answerTo(message);
    if (answer === undefined) return false;
    this.#sendInside(answer, host);
    return true;
  }

  // Where from and where to

  #helloOf({ name }: HostPlan, { challenge, echo }: { challenge: bigint; echo: bigint }): Uint8Array {
    const nodeId = this.#world.nodeId(name);
    const sequence = this.#world.sequence(name);
    const pleaseAnswer = this.#reactions < MOST_REACTIONS && this.#chance.below(2) === 0;
    const hello = { ...UNSIGNED, knownSequence: 0, challenge, echo, pleaseAnswer };
    return writeMessage({ kind: 'hello', nodeId, sequence, ...hello }, TAG);
  }

  #send({ machine, to }: Way, what: Uint8Array | Exclude<Wire, { kind: 'mesh' }>, as: Endpoint): void {
    const bytes = (what instanceof Uint8Array ? what.length : lengthOfMessage(what)) + OUTSIDE_OVERHEAD;
    this.sentBytes += bytes;
    if (isBystander(as) || (what instanceof Uint8Array && isPointing(readMessage(what, TAG))))
      this.pointingBytes += bytes;
    this.#world.network.inject(machine.name, what, to, as);
  }

  #sendInside(message: Message, { name }: HostPlan): void {
    const { network } = this.#world;
    if (!network.isRunning(name)) return;
    const datagram = writeMessage(message, TAG);
    const bytes = datagram.length + INSIDE_OVERHEAD;
    this.sentBytes += bytes;
    if (isPointing(message)) this.pointingBytes += bytes;
    network.device(MEMBER).send({ kind: 'mesh', datagram }, network.node(name).address);
  }

  #someWay(): Way | undefined {
    const hosts = this.#target === undefined ? this.#world.schedule.hosts : [this.#target];
    const ways = hosts.flatMap((host) => this.#ways(host));
    return ways.length === 0 ? undefined : this.#liar.chance.pick(ways);
  }

  #ways(host: HostPlan): Way[] {
    const { machines } = this.#world.schedule;
    return machines.flatMap((machine) =>
      networksOf({ links: machine.links, address: machine.address }).flatMap((network) => {
        const to = networksOf(host).includes(network) ? this.#world.endpointOn(host, network) : undefined;
        return to === undefined ? [] : [{ machine, network, host, to }];
      }),
    );
  }

  /** Its own address, one that nobody has, that of another host, or of the bystander. */
  #someSource({ machine, network, host }: Way): Endpoint {
    const { chance } = this.#liar;
    const others = this.#world.schedule.hosts.filter((other) => other !== host && networksOf(other).includes(network));
    const spoofed = others.length === 0 ? undefined : this.#world.endpointOn(chance.pick(others), network);
    const bystander = network === ROUTED_NETWORK ? BYSTANDER : BYSTANDER_ON_LINK;
    const own = this.#ownEndpoint(machine, network);
    return chance.pick([
      own,
      own,
      this.#madeUpSource({ machine, network }, chance.below(200)),
      spoofed ?? own,
      endpointOf(bystander, PORT, network),
    ]);
  }

  #ownEndpoint({ name, address }: Machine, network: number): Endpoint {
    if (network !== ROUTED_NETWORK) return this.#world.network.linkLocalEndpoint(name, network);
    return endpointOf(address ?? BYSTANDER, PORT);
  }

  /** On a link anybody can have as many addresses as it likes. */
  #madeUpSource({ machine, network }: Pick<Way, 'machine' | 'network'>, number: number): Endpoint {
    if (network === ROUTED_NETWORK) return this.#ownEndpoint(machine, network);
    const bytes = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0xba, 0xd0, 0, 0, 0, number >>> 16, number >>> 8, number);
    return endpointOf(addressFromBytes(bytes), PORT, network);
  }

  #isMine(host: string): boolean {
    return this.#world.schedule.machines.some(({ name }) => name === host);
  }

  #hostAt(endpoint: Endpoint): HostPlan | undefined {
    return this.#world.schedule.hosts.find((host) => {
      const known = networksOf(host).includes(endpoint.scopeId) && this.#world.endpointOn(host, endpoint.scopeId);
      return known && addressesEqual(known.address, endpoint.address);
    });
  }
}

/** Whether an endpoint may be in it, or in what will be asked for because of it. */
function isPointing(message: ReturnType<typeof readMessage>): boolean {
  return typeof message === 'object' && POINTING.has(message.kind);
}

function isBystander({ address }: Endpoint): boolean {
  return addressesEqual(address, BYSTANDER) || addressesEqual(address, BYSTANDER_ON_LINK);
}

function personaKey(endpoint: Endpoint, { name }: HostPlan): string {
  return `${formatEndpoint(endpoint)} ${name}`;
}
