import { NativeBuffer } from './native-buffer.ts';
import { check, libc } from './syscall.ts';

const CLOCK_BOOTTIME = 7;
/** `struct timespec`: seconds, then nanoseconds, 64 bits each. */
const time = new NativeBuffer(16);

/**
 * Milliseconds since the machine was started, the time it slept included (clock_gettime(2)). Node's own monotonic
 * clock stands still while the machine sleeps: a session that had run out would look young after a night.
 */
export function bootTime(): number {
  check(libc.clock_gettime(CLOCK_BOOTTIME, time.address), 'clock_gettime', 'CLOCK_BOOTTIME');
  const { view } = time;
  // Seconds in 32 bits are enough for 136 years without a restart.
  return view.getUint32(0, true) * 1000 + view.getUint32(8, true) / 1e6;
}
