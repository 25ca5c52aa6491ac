import type { Host } from '../test/interop/hosts.ts';

const INTERVAL = 0.001;

/** Round trips of pings 1 ms apart, in milliseconds. A ping that was lost took infinitely long. */
export async function roundTrips(from: Host, address: string, seconds: number): Promise<number[]> {
  const count = Math.round(seconds / INTERVAL);
  const argv = ['ping', '-n', '-i', String(INTERVAL), '-c', String(count), '-w', String(seconds * 3 + 5), address];
  const { output } = await from.attempt(argv);
  const answered = Array.from(output.matchAll(/ time=([\d.]+) ms/g), ([, time]) => Number(time));
  return [...answered, ...new Array<number>(Math.max(0, count - answered.length)).fill(Infinity)];
}
