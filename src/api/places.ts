/** Where daemon and command meet, and the numbers that both know without asking. */

/** The name of the mesh's interface where nobody chose one. */
export const DEFAULT_INTERFACE = 'wm0';

/** The UDP port of beacons, and of WireGuard unless told otherwise (docs/decisions/0006-beacon-port-and-group.md). */
export const DISCOVERY_PORT = 7077;

export const DEFAULT_CONFIG_FILE = '/etc/wiremesh/wiremesh.toml';
export const DEFAULT_STATE_DIRECTORY = '/var/lib/wiremesh';

/** The Unix socket of the daemon that runs `interfaceName`. */
export function socketPathOf(interfaceName: string): string {
  return `/run/wiremesh/${interfaceName}.sock`;
}

/** Paths of the HTTP API on that socket. */
export const API_PATHS = {
  /** GET: a `StatusDocument`. */
  status: '/v1/status',
  /** POST: takes the mesh down. Answers when device, routes and state are let go, just before the daemon ends. */
  down: '/v1/down',
} as const;
