import { DISCOVERY_PORT, type StatusDocument } from '../api/index.ts';
import { nodeAead } from '../crypto/aead.ts';
import { identityPrimitives, nodePrimitives } from '../crypto/node.ts';
import { signXeddsa } from '../crypto/xeddsa.ts';
import { DeviceError, RunningDevice } from '../device/index.ts';
import { formatAddress, formatEndpoint, type Endpoint, type IpAddress } from '../inet/index.ts';
import type { Link } from '../linux/index.ts';
import { millis } from '../machine/index.ts';
import {
  keyProofMessage,
  MeshNode,
  messageForm,
  meshTag,
  type NodeEvent,
  type Notice,
  type TrustPolicy,
} from '../mesh/index.ts';
import { BEACON_GROUP } from './beacon-group.ts';
import { describeBootstrap } from './bootstrap-words.ts';
import { BootstrapResolver } from './bootstrap.ts';
import type { Config } from './config.ts';
import { describeEvent } from './event-words.ts';
import { HostChanges } from './host-changes.ts';
import { HostLinks, type HostView } from './host-links.ts';
import type { Firewall } from './firewall.ts';
import { ImportRoutes, removeLeftRoutes, routeMeshFirst } from './import-routes.ts';
import { setUpInterface } from './interface-setup.ts';
import type { Logger } from './log.ts';
import { KnownSources } from './known-sources.ts';
import { guardMesh } from './mesh-guard.ts';
import { networkWarnings } from './network-warnings.ts';
import { networksOf, type Networks } from './networks.ts';
import { describeNotice } from './notice-words.ts';
import { readOrMakeKeys, storeKeys, type NodeKeys } from './node-keys.ts';
import { markOf, raiseFirewall } from './raise-firewall.ts';
import type { Releases } from './releases.ts';
import { StateDirectory } from './state-directory.ts';
import { dropsOfDevice, statusDocument } from './status.ts';
import { hostAddresses, refuseTakenAddresses } from './taken-addresses.ts';
import { trustWarnings, trustWords } from './trust-words.ts';
import { Wiring } from './wiring.ts';

const wireGuardPrimitives = nodePrimitives(nodeAead);

/** What a mesh is started with. */
export interface MeshParts {
  readonly config: Config;
  readonly log: Logger;
  /** What is taken is entered here at once: a start that fails half-way is undone like one that succeeded. */
  readonly releases: Releases;
  /** The device has ended by itself; the mesh has to end, too. */
  readonly onDeviceEnd: (why: string) => void;
}

/** Takes all that a mesh needs. Nothing is sent before `run`, and no key is written before all the rest has succeeded. */
export async function startMesh(parts: MeshParts): Promise<MeshDaemon> {
  const { config, releases } = parts;
  const state = StateDirectory.open(config.stateDir);
  releases.add(() => state.close());
  const keys = readOrMakeKeys(state, config.wireguardKey, {
    randomBytes: identityPrimitives.randomBytes,
    publicKey: wireGuardPrimitives.publicKey,
  });
  const networks = networksOf(config);
  refuseTakenAddresses(networks.addresses, hostAddresses(config.interface));
  const node = createNode(config, networks, {
    keys,
    storedSequence: state.readSequence(),
    storedSeqno: state.readSeqno(),
    memory: readMemory(parts, state),
  });
  const firewall = raiseFirewall(parts, networks, node.address);
  const { device, port } = await startDevice(parts, keys);
  await device.configureRelay({ address: node.address, mayForward: config.relay });
  const { interfaceName } = device;
  const addresses = [{ address: node.address, length: 128 }, ...networks.addresses];
  await setUpInterface({ link: interfaceName, mtu: config.mtu, addresses }, parts.log);
  const importRoutes = await openImportRoutes(parts, networks, { device, port, node });
  const hasMeshRule = await preferMeshRoute(parts, node);
  const opened = { state, keys, device, port, node, networks, importRoutes, hasMeshRule, firewall };
  const daemon = new MeshDaemon(parts, opened);
  storeKeys(state, keys);
  // The device has its own copy. That of the identity is needed for every signature.
  keys.wireGuard.privateKey.fill(0);
  return daemon;
}

function readMemory({ log }: MeshParts, state: StateDirectory): Uint8Array | undefined {
  const { memory, problem } = state.readMemory();
  if (problem !== undefined) log.warn(problem);
  return memory;
}

/** The firewall keeps packets from going astray; this keeps them going. @returns whether the kernel has such rules */
async function preferMeshRoute({ config, log, releases }: MeshParts, { address }: MeshNode): Promise<boolean> {
  releases.add(() => removeLeftRoutes());
  try {
    await routeMeshFirst(config.interface, config.table, address);
    return true;
  } catch (error) {
    log.warn(`more specific routes of others can stop traffic of the mesh: ${(error as Error).message}`);
    return false;
  }
}

async function startDevice({ config, log, releases, onDeviceEnd }: MeshParts, keys: NodeKeys) {
  const device = await RunningDevice.start({ name: config.interface, mtu: config.mtu });
  releases.add(() => device.close());
  device.onEvent = (event) => {
    if (event.kind === 'failed') onDeviceEnd(event.error.message);
    if (event.kind === 'interface-removed') onDeviceEnd(`somebody removed the interface ${device.interfaceName}`);
  };
  const fwmark = markOf(config);
  await device.configure({ listenPort: config.port, privateKey: keys.wireGuard.privateKey, fwmark });
  if (device.aeadReason !== undefined) {
    log.warn(`encryption is slow: ${device.aeadReason}; use a Node from nodejs.org or npm`);
  }
  if (!device.mayBeUrgent) log.info('no real-time priority (CAP_SYS_NICE): under load, packets wait for the CPU');
  return { device, port: (await device.publicState()).listenPort };
}

/** Leftovers go in any case: what an earlier life imported need not be imported by this one. */
async function openImportRoutes(
  { config, log, releases }: MeshParts,
  { imports, addresses }: Networks,
  { device, port, node }: Pick<Opened, 'device' | 'port' | 'node'>,
): Promise<ImportRoutes | undefined> {
  if (imports.length === 0) {
    await removeLeftRoutes();
    return undefined;
  }
  releases.add(() => removeLeftRoutes());
  const families = [...new Set(imports.map(({ prefix }) => prefix.address.family))];
  const options = {
    ...{ link: device.interfaceName, table: config.table, port, families },
    addresses: [...addresses.map(({ address }) => address), node.address],
  };
  return ImportRoutes.open(options, (error) =>
    log.warn(`a route into the mesh could not be changed: ${error.message}`),
  );
}

/** What a node has kept from its earlier lives. */
interface Kept {
  readonly keys: NodeKeys;
  readonly storedSequence: number;
  readonly storedSeqno: number | undefined;
  readonly memory: Uint8Array | undefined;
}

function createNode(config: Config, networks: Networks, kept: Kept): MeshNode {
  const { keys, storedSequence, storedSeqno, memory } = kept;
  const trust: TrustPolicy =
    config.trust === 'open' ? { mode: 'open' } : { mode: 'pinned', nodeIds: new Set(config.pin) };
  return new MeshNode({
    meshName: config.mesh,
    identitySeed: keys.identitySeed,
    wireGuardPublicKey: keys.wireGuard.publicKey,
    wireGuardKeyProof: proofOf(config.mesh, keys),
    hostName: config.name,
    storedSequence,
    storedSeqno,
    memory,
    trust,
    bootstrap: [],
    networks: networks.offers,
    imports: networks.imports,
    mayRelay: config.relay,
    interfaceMtu: config.mtu,
    primitives: identityPrimitives,
    unixTime: () => millis(Date.now()),
  });
}

/** Made once: the private key is wiped before the mesh runs. */
function proofOf(meshName: string, { identitySeed, wireGuard }: NodeKeys): Uint8Array {
  const message = keyProofMessage(meshName, identityPrimitives.identityPublicKey(identitySeed));
  return signXeddsa(wireGuard.privateKey, message, identityPrimitives.randomBytes(64));
}

/** What has been opened for a mesh before it runs. */
interface Opened {
  readonly state: StateDirectory;
  readonly keys: NodeKeys;
  readonly device: RunningDevice;
  readonly port: number;
  readonly node: MeshNode;
  readonly networks: Networks;
  /** Where anything is imported. */
  readonly importRoutes: ImportRoutes | undefined;
  readonly hasMeshRule: boolean;
  /** Unless the configuration forgoes it. */
  readonly firewall: Firewall | undefined;
}

/** One mesh on this host: a node and the sockets, links and names around it. */
export class MeshDaemon {
  readonly #parts: MeshParts;
  readonly #opened: Opened;
  readonly #wiring: Wiring;
  readonly #startedAtUnixMs = Date.now();
  readonly #knownSources: KnownSources;
  #links: readonly Link[] = [];
  #linksSaid = '';
  readonly #hostChanges = new HostChanges();
  #hasSaidForbidden = false;
  /** By index: those on which we cannot listen to beacons. */
  readonly #unheardLinks = new Set<number>();

  constructor(parts: MeshParts, opened: Opened) {
    const { state, device, node, importRoutes, firewall } = opened;
    const { releases } = parts;
    this.#parts = parts;
    this.#opened = opened;
    this.#wiring = new Wiring(node, {
      device,
      routeImport: (prefix, isWanted) => {
        if (!isWanted) return importRoutes?.remove(prefix);
        firewall?.addImport(prefix);
        importRoutes?.add(prefix);
      },
      storeSequence: (sequence) => state.storeSequence(sequence),
      storeMemory: (memory) => state.storeMemory(memory),
      storeSeqno: (seqno) => state.storeSeqno(seqno),
      onEvent: (event) => this.#logEvent(event),
      onBootstrapState: (endpoint, state) => {
        const { level, words } = describeBootstrap(endpoint, state, parts.config.mesh);
        parts.log[level](words);
      },
      onNotice: (notice) => this.#logNotice(notice),
      onTrouble: (what, error) => this.#handleTrouble(what, error as Error),
    });
    this.#knownSources = new KnownSources(
      () => node.status().nodes,
      (addresses) => void this.#tellKnownSources(addresses),
    );
    releases.add(() => this.#leave());
  }

  /** Joins the mesh. */
  async run(): Promise<void> {
    const { config, log, releases } = this.#parts;
    const { device, port } = this.#opened;
    device.onDatagram = (datagram, from) => this.#wiring.handle({ kind: 'datagram', datagram, from });
    await this.#takeControl();
    this.#logStart();
    device.onTunnelMessage = (datagram, from) => this.#wiring.handle({ kind: 'tunnel-datagram', datagram, from });
    const onDeviceEvent = device.onEvent;
    device.onEvent = (event) => {
      onDeviceEvent(event);
      if (event.kind === 'send-forbidden') this.#logForbidden(event.to, event.errno);
      this.#wiring.handleDeviceEvent(event);
    };
    const hostLinks = new HostLinks({ chosen: config.link, port, tunnel: device.interfaceName }, (view) =>
      this.#handleHost(view),
    );
    releases.add(() => hostLinks.close());
    hostLinks.scan();
    const bootstrap = new BootstrapResolver(config.bootstrap, {
      endpoints: (endpoints) => {
        this.#knownSources.setBootstrap(endpoints);
        this.#wiring.handle({ kind: 'bootstrap', endpoints });
      },
      unknownHost: (hostPort) => log.warn(`bootstrap ${hostPort}: the name is not known yet, trying again`),
    });
    releases.add(() => bootstrap.close());
    void bootstrap.run();
    this.#guardHost();
    void this.#wiring.pollDevice();
  }

  #guardHost(): void {
    const { config, log, releases, onDeviceEnd } = this.#parts;
    const { device, networks, node, ...rest } = this.#opened;
    const families = [...new Set(networks.imports.map(({ prefix }) => prefix.address.family))];
    const { mtu, table } = config;
    const guard = guardMesh(
      {
        ...{ ...rest, link: device.interfaceName, mtu, table, families },
        ...{ address: node.address, addresses: networks.addresses },
      },
      { log, changes: this.#hostChanges, onGone: onDeviceEnd },
    );
    releases.add(() => guard.close());
  }

  async status(): Promise<StatusDocument> {
    const { device, port, keys, node } = this.#opened;
    await this.#wiring.pollDevice();
    const counters = await device.counters();
    const { drops, ...status } = node.status();
    return statusDocument(
      { ...status, drops: { ...drops, ...dropsOfDevice(counters) } },
      {
        interface: device.interfaceName,
        port,
        wireGuardPublicKey: Buffer.from(keys.wireGuard.publicKey).toString('base64'),
        trust: this.#parts.config.trust,
        links: this.#links.map(({ name }) => name),
        startedAtUnixMs: this.#startedAtUnixMs,
        host: this.#hostChanges.document(),
      },
    );
  }

  /** Where WireGuard has another port than beacons, the device hears them on theirs, too. */
  async #takeControl(): Promise<void> {
    const { config, log } = this.#parts;
    const { device, port } = this.#opened;
    // Those of other meshes have another tag.
    const forms = { form: messageForm(meshTag(config.mesh, identityPrimitives)), kin: messageForm(new Uint8Array()) };
    const sharedPort = port === DISCOVERY_PORT ? undefined : DISCOVERY_PORT;
    try {
      this.#logUnfiltered(await device.takeControl({ ...forms, sharedPort }));
    } catch (error) {
      // Its own beacons are heard all the same, and those who hear them answer.
      log.warn(
        `beacons of others cannot be heard, UDP port ${DISCOVERY_PORT} cannot be shared: ${(error as Error).message}`,
      );
      this.#logUnfiltered(await device.takeControl(forms));
    }
  }

  async #tellKnownSources(addresses: readonly IpAddress[]): Promise<void> {
    try {
      await this.#opened.device.setKnownSources(addresses);
    } catch (error) {
      this.#handleTrouble('the device cannot be told who is known', error as Error);
    }
  }

  #logUnfiltered(reason: string | undefined): void {
    if (reason === undefined) return;
    this.#parts.log.info(
      `floods of datagrams that are not the mesh's cost more here, the kernel does not filter them: ${reason}`,
    );
  }

  #handleTrouble(what: string, error: Error): void {
    const { log, onDeviceEnd } = this.#parts;
    // A thread that ends may take its last event, which says why, with it.
    if (saysDeviceEnded(error)) onDeviceEnd(error.message);
    else log.warn(`${what}: ${error.message}`);
  }

  #handleHost({ links, linkLocals, endpoints, addresses }: HostView): void {
    const joined = new Set(this.#links.map(({ index }) => index));
    for (const link of links) if (!joined.has(link.index)) void this.#joinGroup(link);
    this.#links = links;
    this.#logLinks();
    this.#wiring.handle({ kind: 'host-addresses', addresses });
    this.#wiring.handle({ kind: 'own-endpoints', endpoints });
    const own = links.map(({ index, name }) => ({ index, name, addresses: linkLocals.get(index) ?? [] }));
    this.#wiring.handle({ kind: 'links', links: own });
  }

  async #joinGroup(link: Link): Promise<void> {
    try {
      await this.#opened.device.joinGroup(BEACON_GROUP, link.index);
    } catch (error) {
      this.#unheardLinks.add(link.index);
      this.#parts.log.warn(`beacons on ${link.name} cannot be heard: ${(error as Error).message}`);
    }
  }

  /** Says goodbye. The device sends the goodbyes before it obeys the order to end, which comes after them. */
  #leave(): void {
    this.#wiring.handle({ kind: 'leave' });
    this.#wiring.close();
    this.#knownSources.close();
  }

  #logLinks(): void {
    const { config, log } = this.#parts;
    const names = this.#links.map(({ name }) => name);
    const said = `links: ${names.join(', ') || 'none that a beacon can go out on yet'}`;
    if (said === this.#linksSaid) return;
    this.#linksSaid = said;
    log.info(said);
    for (const name of config.link) {
      if (!names.includes(name))
        log.warn(`no beacons on ${name} while it is missing, down, or without IPv6 and multicast`);
    }
  }

  #logStart(): void {
    const { config, log } = this.#parts;
    const { keys, node, device, port, state } = this.#opened;
    const isNew = keys.unstored.includes('identity');
    log.info(`identity: ${isNew ? 'new, kept in' : 'loaded from'} ${state.path}`);
    log.info(`node id ${node.nodeId}`);
    log.info(`address ${formatAddress(node.address)} on ${device.interfaceName}, WireGuard on UDP port ${port}`);
    log.info(`mesh "${config.mesh}", trusting ${trustWords(config)}`);
    for (const warning of [...trustWarnings(config), ...networkWarnings(this.#opened.networks)]) log.warn(warning);
  }

  /** Once: nothing else comes of it before somebody changes the firewall. */
  #logForbidden(to: Endpoint, errno: string): void {
    if (this.#hasSaidForbidden) return;
    this.#hasSaidForbidden = true;
    this.#parts.log.warn(
      `the kernel forbids to send to ${formatEndpoint(to)} (${errno}): a firewall of this host rejects UDP from port ` +
        `${this.#opened.port}, let it out`,
    );
  }

  #logNotice(notice: Notice): void {
    const { config, log } = this.#parts;
    // That has been said, with its reason.
    if (notice.kind === 'deaf' && this.#unheardLinks.has(notice.link)) return;
    const { nodeId } = this.#opened.node;
    const context = { meshName: config.mesh, nodeId, port: this.#opened.port, links: this.#links };
    const { level, words } = describeNotice(notice, context);
    log[level]({ notice: notice.kind }, words);
  }

  #logEvent(event: NodeEvent): void {
    this.#knownSources.handleChange();
    const view = this.#opened.node.status().nodes.find(({ nodeId }) => nodeId === event.nodeId);
    const { level, words } = describeEvent(event, {
      // A node just found has no endpoint in use yet, but it has been heard of somewhere.
      endpoint: event.endpoint ?? view?.candidates[0],
      linkName: (index) => this.#links.find((link) => link.index === index)?.name,
      roundTripTimeMs: view?.roundTripTime,
    });
    this.#parts.log[level]({ event: event.kind, nodeId: event.nodeId }, words);
  }
}

function saysDeviceEnded(error: unknown): boolean {
  return error instanceof DeviceError && error.code === 'DEVICE_ENDED';
}
