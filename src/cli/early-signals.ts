const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * Ends the process in order, with code 0, for a signal that comes while the program is being loaded: nothing has been
 * taken yet that would have to be given back.
 * @returns what hands the signals over to somebody who has asked for them
 */
export function endOnEarlySignals(): () => void {
  const end = () => process.exit(0);
  for (const signal of ENDING) process.on(signal, end);
  return () => {
    for (const signal of ENDING) process.off(signal, end);
  };
}
