import { pino, type Logger } from 'pino';
import { printable, printableJson } from '../api/index.ts';

export type { Logger };

/** Lines for people on standard error, or JSON for machines; standard output is left to results. */
export function createLog(level: string, format: 'text' | 'json'): Logger {
  const destination = pino.destination({ fd: 2, sync: true });
  const stream =
    format === 'json'
      ? { write: (json: string) => destination.write(printableJson(json)) }
      : textStream((line) => process.stderr.write(line));
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.epochTime }, stream);
}

/** Turns pino's JSON into one line of words. The fields beside the message are for machines and are left out. */
export function textStream(write: (line: string) => void): { write(json: string): void } {
  return {
    write(json) {
      const { time, level, msg } = JSON.parse(json) as { time: number; level: number; msg: string };
      write(`${clock(new Date(time))} ${LEVEL_WORDS[level] ?? ''}${printable(msg)}\n`);
    },
  };
}

const LEVEL_WORDS: Readonly<Record<number, string>> = { 20: 'debug: ', 40: 'warning: ', 50: 'error: ', 60: 'error: ' };

function clock(at: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
