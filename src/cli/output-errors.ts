/**
 * Has output that nobody takes end the command instead of a stack trace. Who reads only a part (`| head`, `| grep -q`)
 * has all that he wanted; on a full disk the user is told, with code 1.
 */
export function watchOutput(program: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    // Whatever the command itself says of how it went.
    process.on('exit', () => (process.exitCode = 1));
    process.stderr.write(`${program}: the output cannot be written (${error.code})\n`);
  });
  // There is nowhere left to say it.
  process.stderr.on('error', () => undefined);
}
