import { NativeBuffer } from './native-buffer.ts';
import { libc } from './syscall.ts';

const SCHED_OTHER = 0;
const SCHED_FIFO = 1;
const SCHED_RESET_ON_FORK = 0x4000_0000;

/** `struct sched_param`: the one integer is the priority, the lowest of the real-time ones or none. */
const parameters = new NativeBuffer(8);

/**
 * Puts the calling thread ahead of all that have no real-time priority, or back among them (sched(7)). Threads and
 * processes that it starts do not inherit that.
 * @returns whether the host allows it: it takes CAP_SYS_NICE or a limit of RLIMIT_RTPRIO
 */
export function setRealTime(isRealTime: boolean): boolean {
  parameters.view.setInt32(0, isRealTime ? 1 : 0, true);
  const policy = (isRealTime ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK;
  return libc.sched_setscheduler(0, policy, parameters.address) === 0;
}
