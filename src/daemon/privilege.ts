import { readFileSync } from 'node:fs';
import { WiremeshError } from '../error.ts';

/** The daemon may not do what it is for. */
export class PrivilegeError extends WiremeshError {
  readonly code = 'PRIVILEGE';
}

/** The number of the capability (capabilities(7), linux/capability.h). */
const CAP_NET_ADMIN = 12n;

/** @throws PrivilegeError unless this process may make interfaces and routes. `status` is that of proc(5). */
export function checkPrivilege(status = readFileSync('/proc/self/status', 'latin1')): void {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  if (((effective >> CAP_NET_ADMIN) & 1n) === 0n) {
    throw new PrivilegeError('making a network interface needs CAP_NET_ADMIN: run "wiremesh up" as root');
  }
}
