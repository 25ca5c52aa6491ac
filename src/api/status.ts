import * as v from 'valibot';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const unixMs = v.pipe(v.number(), v.minValue(0));

/**
 * How a node was heard of first: on a link, at an endpoint from the configuration, by its call, from another node,
 * or before the daemon was started.
 */
export const foundBySchema = v.picklist(['beacon', 'bootstrap', 'call', 'gossip', 'memory']);

/**
 * `found`: known, nothing tried yet; `trying`: endpoints are being tried; `up`: the tunnel answers;
 * `lost`: it did, and does not any more; `distant`: nobody needs a direct path, relays will do.
 */
export const nodeStateSchema = v.picklist(['found', 'trying', 'up', 'lost', 'distant']);

/** The way that traffic takes to a node. */
export const pathSchema = v.picklist(['direct', 'relayed', 'none']);

/** One other node, as this one sees it. */
export const nodeSchema = v.object({
  nodeId: v.string(),
  address: v.string(),
  /** What the node calls itself: printable, but not to be believed. */
  hostName: v.string(),
  endpoint: v.optional(v.string()),
  foundBy: foundBySchema,
  /** Of the direct path. */
  state: nodeStateSchema,
  path: pathSchema,
  /** The host name and node id of the next hop, and the metric, where the path is `relayed`. */
  via: v.optional(v.string()),
  viaNodeId: v.optional(v.string()),
  metric: v.optional(count),
  /** Whether the two keep a direct path and tell each other of theirs. */
  isNeighbour: v.boolean(),
  lastHandshakeAtUnixMs: v.optional(unixMs),
  rxBytes: count,
  txBytes: count,
  roundTripTimeMs: v.optional(v.number()),
  /** The direct path has come and gone more than thrice within a minute. */
  isUnstable: v.optional(v.literal(true)),
  /** The longest packet in the tunnel that is known to arrive there, in bytes. */
  pathMtu: v.optional(count),
});
export type NodeDocument = v.InferOutput<typeof nodeSchema>;

/** A node that leads to a network, as this one sees it. */
export const gatewaySchema = v.object({
  nodeId: v.string(),
  /** What the node calls itself. */
  hostName: v.string(),
  preference: count,
  /** Of the path to it; less is nearer. Missing: it cannot be reached. */
  metric: v.optional(v.number()),
  isInUse: v.boolean(),
});

/** What this node offers to the others, and what it takes from them. */
export const networksSchema = v.object({
  offered: v.array(v.object({ prefix: v.string(), preference: count })),
  /** Those whose offers are believed, the best first. */
  imported: v.array(v.object({ prefix: v.string(), gateways: v.array(gatewaySchema) })),
});
export type NetworksDocument = v.InferOutput<typeof networksSchema>;

/** What others did on this host to what the mesh has put up there. */
export const hostSchema = v.object({
  /** Where it is down, nothing goes through the mesh. */
  interfaceUp: v.boolean(),
  /** The last of them, the oldest first. */
  changes: v.array(v.object({ atUnixMs: unixMs, words: v.string() })),
});
export type HostDocument = v.InferOutput<typeof hostSchema>;

/** What `GET /v1/status` answers. Fields are added, never changed, within v1. */
export const statusSchema = v.object({
  self: v.object({
    nodeId: v.string(),
    address: v.string(),
    hostName: v.string(),
    meshName: v.string(),
    /** Of the description that is valid now. */
    sequence: count,
    interface: v.string(),
    port: count,
    /** Base64, as `wg` prints keys. */
    wireGuardPublicKey: v.string(),
    trust: v.picklist(['open', 'pinned']),
    /** Names of the links that beacons go out on. */
    links: v.array(v.string()),
    startedAtUnixMs: unixMs,
  }),
  nodes: v.array(nodeSchema),
  /** The bootstrap endpoints of the configuration: `silent` has never answered, `self` is this node itself. */
  bootstraps: v.optional(
    v.array(v.object({ endpoint: v.string(), state: v.picklist(['called', 'answers', 'silent', 'self']) })),
    [],
  ),
  networks: v.optional(networksSchema, { offered: [], imported: [] }),
  host: v.optional(hostSchema, { interfaceUp: true, changes: [] }),
  /** Datagrams of the mesh that were dropped, by reason. */
  drops: v.record(v.string(), count),
});
export type StatusDocument = v.InferOutput<typeof statusSchema>;

/** The body of every answer that is not a success. */
export const failureSchema = v.object({ code: v.string(), message: v.string() });
export type FailureDocument = v.InferOutput<typeof failureSchema>;
