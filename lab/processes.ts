/**
 * Processes that a lab started, found again by a mark in their environment: no record on disk can be missing for a
 * daemon that was started a moment before its starter was killed, and none can name a process number that has since
 * gone to somebody else. Reads proc(5).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** One process. A process number alone would mean another process once it is used again. */
export interface ProcessReference {
  readonly pid: number;
  /** In clock ticks since the machine started (proc(5), field 22 of `/proc/PID/stat`). */
  readonly startTime: number;
}

/** The process `pid` as it runs now, or `undefined` if there is none or it waits to be reaped. */
export function processReference(pid: number): ProcessReference | undefined {
  const stat = readProcess(pid, 'stat');
  // The command (field 2) may hold spaces and parentheses: count from behind it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startTime: Number(fields[19]) };
}

export function isRunning({ pid, startTime }: ProcessReference): boolean {
  return processReference(pid)?.startTime === startTime;
}

/** Every running process with the variable `name` in its environment, under that variable's value, oldest first. */
export function processesMarked(name: string): Map<string, ProcessReference[]> {
  const marked = new Map<string, ProcessReference[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = readProcess(pid, 'environ')?.split('\0') ?? [];
    const mark = environment.find((variable) => variable.startsWith(`${name}=`))?.slice(name.length + 1);
    const reference = mark === undefined ? undefined : processReference(pid);
    if (mark === undefined || reference === undefined) continue;
    marked.set(
      mark,
      [...(marked.get(mark) ?? []), reference].sort((a, b) => a.startTime - b.startTime),
    );
  }
  return marked;
}

/** Asks processes to end, and kills those that have not after `graceMs`. Resolves when none is left. */
export async function endProcesses(processes: readonly ProcessReference[], graceMs: number): Promise<void> {
  await signalAndWait(processes, 'SIGTERM', graceMs);
  await signalAndWait(processes.filter(isRunning), 'SIGKILL', 5000);
}

async function signalAndWait(processes: readonly ProcessReference[], signal: NodeJS.Signals, forMs: number) {
  for (const { pid } of processes.filter(isRunning)) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  const deadline = performance.now() + forMs;
  // Linux tells the end of a process only to its parent, which may be gone: ask.
  while (processes.some(isRunning) && performance.now() < deadline) await delay(20);
}

function readProcess(pid: number, file: 'stat' | 'environ'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    // It ended between being listed and being read.
    return undefined;
  }
}
