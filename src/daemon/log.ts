import { pino, type Logger } from 'pino';
import { printable, printableJson } from '../api/index.ts';
import { describeLost, LogOutput, writerTo, type LostLines } from './log-output.ts';

export type { Logger };

const STANDARD_ERROR = 2;

/** Lines for people on standard error, or JSON for machines; standard output is left to results. */
export function createLog(level: string, format: 'text' | 'json'): Logger {
  const time = pino.stdTimeFunctions.epochTime;
  const linesOf = format === 'json' ? jsonStream : textStream;
  // What was lost is told by a log line like any other.
  const describe = (lost: LostLines) => {
    const parts: string[] = [];
    const collected = linesOf((line) => parts.push(line));
    pino({ base: null, timestamp: time }, collected).warn(lost, describeLost(lost));
    return parts.join('');
  };
  const output = new LogOutput(writerTo(STANDARD_ERROR), describe);
  const written = linesOf((line) => output.write(line));
  return pino({ level, base: null, timestamp: time }, written);
}

/** Leaves pino's JSON as it is, less what a terminal could obey. */
function jsonStream(write: (line: string) => void): { write(json: string): void } {
  return { write: (json) => write(printableJson(json)) };
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
