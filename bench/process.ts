/** What the kernel says of a process (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';
import type { TunnelEnd } from '../test/interop/tunnel.ts';

/** USER_HZ, in which /proc tells times: 100 on every Linux of ours. */
const TICKS_PER_SECOND = 100;

/** User and system time of all threads so far, in seconds. */
export function cpuSeconds({ child }: TunnelEnd): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
  // The name, in parentheses, may hold spaces; utime and stime are fields 14 and 15, the state behind the name is 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory in bytes. */
export function residentBytes({ child }: TunnelEnd): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** How often a thread of the process has waited or been made to wait so far: while it stays the same, none has run. */
export function contextSwitches({ child }: TunnelEnd): number {
  const tasks = `/proc/${child.pid}/task`;
  const switches = readdirSync(tasks).flatMap((task) => [
    ...readFileSync(`${tasks}/${task}/status`, 'utf8').matchAll(/ctxt_switches:\s+(\d+)$/gm),
  ]);
  return switches.reduce((sum, [, count]) => sum + Number(count), 0);
}
