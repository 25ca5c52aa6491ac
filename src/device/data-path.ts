import type { Tun } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import { DatagramTrain, TRAIN_CAPACITY } from './datagram-train.ts';
import { InboundPath, OPENED_BYTES, type ControlSink } from './inbound-path.ts';
import { OUTBOUND_BYTES, OutboundPath } from './outbound-path.ts';
import type { PacketMemory } from './packet-memory.ts';
import { PacketLimits } from './packet-limits.ts';
import type { PathDevice } from './path-device.ts';
import type { PathCounters } from './path-counters.ts';
import { PeerAddresses } from './peer-addresses.ts';
import type { PeerReports } from './peer-reports.ts';
import { Relay } from './relay.ts';
import type { DatagramSender } from './sockets.ts';
import type { PacketWriter } from './tun-writer.ts';
import { TunnelMessages, type TunnelMessageSink } from './tunnel-messages.ts';
import { UnreachableAnswers } from './unreachable-answers.ts';
import type { Work } from './work.ts';

/** Of the memory that a data path is given. */
export const DATA_PATH_BYTES = OPENED_BYTES + 64 + OUTBOUND_BYTES + TRAIN_CAPACITY + 64;

export interface DataPathParts {
  readonly tun: Tun;
  readonly device: PathDevice;
  readonly sockets: DatagramSender;
  readonly writer: PacketWriter;
  readonly memory: PacketMemory;
  readonly counters: PathCounters;
  readonly work: Work;
  readonly toControl: ControlSink;
  readonly onTunnelMessage: TunnelMessageSink;
  /** Called when peers know what came in, and before the host does: other threads may send the answers. */
  readonly beforeDelivery?: ((now: Millis) => void) | undefined;
  readonly activity: PeerReports;
  readonly pathErrors: PeerReports;
}

/** Both directions of one TUN device, the way over relays, which both use, and what goes past the TUN device. */
export class DataPath {
  readonly outbound: OutboundPath;
  readonly inbound: InboundPath;
  readonly relay: Relay;
  readonly tunnelMessages: TunnelMessages;
  readonly limits: PacketLimits;

  constructor(parts: DataPathParts) {
    const { memory, writer, device } = parts;
    this.limits = new PacketLimits((publicKey) => device.findPeer(publicKey));
    const shared = { ...parts, addresses: new PeerAddresses(), limits: this.limits };
    const train = new DatagramTrain(memory.allocate(TRAIN_CAPACITY), shared);
    this.relay = new Relay({ ...shared, train, checksums: memory.checksums });
    this.tunnelMessages = new TunnelMessages({ ...shared, relay: this.relay, checksums: memory.checksums });
    this.outbound = new OutboundPath({ ...shared, relay: this.relay, unreachable: new UnreachableAnswers(writer) });
    this.inbound = new InboundPath({ ...shared, relay: this.relay, tunnelMessages: this.tunnelMessages });
  }
}
