import { spawn } from 'node:child_process';
import { WiremeshError } from '../error.ts';

/** `ip` refused a line of a batch: `line` is that line, the message holds ip's words. */
export class IpCommandError extends WiremeshError {
  readonly code = 'IP_COMMAND';
  readonly line: string;

  constructor(line: string, words: string) {
    super(`"ip ${line}" failed: ${words}`);
    this.line = line;
  }
}

export interface IpBatchOptions {
  readonly namespace?: string;
  /** Of lines that tell it by none of their words. */
  readonly family?: 4 | 6;
}

/**
 * Runs lines for `ip -batch` (ip(8)) with one process and no shell, in the network namespace `namespace` if one is
 * named. Lines come from the functions of link.ts and route.ts, which check what they put in. They take effect one after
 * the other; those before a refused one stay.
 * @throws IpCommandError
 */
export async function runIpBatch(lines: readonly string[], options: IpBatchOptions = {}): Promise<void> {
  const namespace = options.namespace === undefined ? [] : ['-netns', options.namespace];
  const family = options.family === undefined ? [] : [`-${options.family}`];
  const { exitCode, errors } = await runIp([...namespace, ...family, '-batch', '-'], `${lines.join('\n')}\n`);
  if (exitCode === 0) return;
  const failedAt = /^Command failed -:(\d+)$/m.exec(errors);
  const line = failedAt === null ? '-batch' : lines[Number(failedAt[1]) - 1];
  throw new IpCommandError(line, wordsOf(errors));
}

/** Like `runIpBatch`, but a line that fails does not keep the others from taking effect; `onError` hears of each. */
export async function runIpLines(
  lines: readonly string[],
  onError: (error: IpCommandError) => void,
  options: IpBatchOptions = {},
): Promise<void> {
  for (let rest = lines; rest.length > 0;) {
    try {
      return await runIpBatch(rest, options);
    } catch (error) {
      if (!(error instanceof IpCommandError)) throw error;
      onError(error);
      const failed = rest.indexOf(error.line);
      rest = failed < 0 ? [] : rest.slice(failed + 1);
    }
  }
}

/** Runs one `ip` command. @returns what it printed. @throws IpCommandError */
export async function runIpCommand(args: readonly string[]): Promise<string> {
  const { exitCode, output, errors } = await runIp(args, '');
  if (exitCode !== 0) throw new IpCommandError(args.join(' '), wordsOf(errors));
  return output;
}

function wordsOf(errors: string): string {
  const words = errors.split('\n').filter((line) => line !== '' && !line.startsWith('Command failed'));
  return words.join('; ') || 'it did not say why';
}

function runIp(
  args: readonly string[],
  input: string,
): Promise<{ exitCode: number | null; output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.on('error', () =>
      reject(new IpCommandError(args.join(' '), 'ip cannot be run: install the package iproute2')),
    );
    child.on('close', (exitCode) => resolve({ exitCode, output, errors }));
    // A child that ended before it had read everything has said why on its standard error.
    child.stdin.on('error', () => undefined).end(input);
  });
}
