import { isatty } from 'node:tty';

/** Signals that end a daemon in order. Ctrl-\\ would leave a core dump, which holds keys. */
const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGQUIT'];
/** Signals of others' customs (rotating logs, printing statistics): by default they kill, SIGUSR1 opens a debugger. */
const MEANINGLESS: readonly NodeJS.Signals[] = ['SIGUSR1', 'SIGUSR2'];

export interface SignalListener {
  /** The first that asks for an orderly end. */
  onEnd(why: string): void;
  /** Another one: whoever sends it will not wait. */
  onImpatience(): void;
  /** One that ends nothing. */
  onOther(signal: string): void;
}

/**
 * Listens to the signals of a daemon. SIGHUP says that the terminal has gone: whoever runs a daemon in a terminal and
 * closes it wants it to end. Elsewhere (under nohup, or a service manager that means "read your configuration anew") it
 * ends nothing.
 * @returns what stops listening
 */
export function listenToSignals(listener: SignalListener, hasTerminal: boolean): () => void {
  let hasBeenAsked = false;
  const end = (why: string) => {
    if (hasBeenAsked) return listener.onImpatience();
    hasBeenAsked = true;
    listener.onEnd(why);
  };
  const hangUp = () => (hasTerminal ? end('SIGHUP, its terminal was closed') : listener.onOther('SIGHUP'));
  const handlers: [NodeJS.Signals, (signal: string) => void][] = [
    ...ENDING.map((signal) => [signal, end] as [NodeJS.Signals, typeof end]),
    ...MEANINGLESS.map((signal) => [signal, (name: string) => listener.onOther(name)] as [NodeJS.Signals, typeof end]),
    ['SIGHUP', hangUp],
  ];
  for (const [signal, handle] of handlers) process.on(signal, handle);
  return () => {
    for (const [signal, handle] of handlers) process.off(signal, handle);
  };
}

/** Whether this process was started in a terminal, wherever its log goes. `nohup` and service managers leave none. */
export function hasTerminal(): boolean {
  return [0, 1, 2].some((fd) => isatty(fd));
}
