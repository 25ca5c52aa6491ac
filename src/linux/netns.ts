import { WiremeshError } from '../error.ts';
import { runIpCommand } from './ip-batch.ts';
import { check, closedOnFailure, libc } from './syscall.ts';

const O_RDONLY_CLOEXEC = 0x80000;
const CLONE_NEWNET = 0x40000000;

/** The namespace of the thread that opens it, and of no other (namespaces(7)). */
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

export class NamespaceNameError extends WiremeshError {
  readonly code = 'NAMESPACE_NAME';
  constructor(name: string) {
    super(`${JSON.stringify(name)} cannot be the name of a network namespace: use letters, digits or any of _ + . -`);
  }
}

/** Returns `name` if `ip netns` can keep it as a file and no shell or batch would read more into it. @throws NamespaceNameError */
export function namespaceName(name: string): string {
  if (!/^[a-zA-Z0-9_+][a-zA-Z0-9_+.-]{0,63}$/.test(name)) throw new NamespaceNameError(name);
  return name;
}

/** Where `ip netns` keeps the namespace. */
export function namespacePath(name: string): string {
  return `/run/netns/${namespaceName(name)}`;
}

export async function createNamespace(name: string): Promise<void> {
  await runIpCommand(['netns', 'add', namespaceName(name)]);
}

/** The namespace itself goes when the last process and socket in it are gone. */
export async function deleteNamespace(name: string): Promise<void> {
  await runIpCommand(['netns', 'delete', namespaceName(name)]);
}

export async function listNamespaces(): Promise<string[]> {
  const lines = (await runIpCommand(['netns', 'list'])).split('\n');
  // A line is a name, and often "(id: 3)" behind it.
  return lines.map((line) => line.split(' ')[0]).filter((name) => name !== '');
}

/** Moves the calling thread, and no other of the process, into the network namespace at `path`. @throws SystemCallError */
export function enterNamespace(path: string): void {
  const fd = check(libc.open(path, O_RDONLY_CLOEXEC), 'open', path);
  closedOnFailure(fd, () => check(libc.setns(fd, CLONE_NEWNET), 'setns', path));
  libc.close(fd);
}

/** Moves the calling thread, and no other of the process, into a new network namespace without a name. @throws SystemCallError */
export function enterNewNamespace(): void {
  check(libc.unshare(CLONE_NEWNET), 'unshare', 'the network namespace');
}

/**
 * Calls `open` with the calling thread in the namespace at `path`, and comes back. A socket stays in the namespace it
 * was opened in, so one thread can hold sockets of many. `open` must not wait for anything: other code would run there.
 * @throws SystemCallError, and what `open` throws
 */
export function inNamespace<T>(path: string, open: () => T): T {
  const own = check(libc.open(OWN_NAMESPACE, O_RDONLY_CLOEXEC), 'open', OWN_NAMESPACE);
  try {
    enterNamespace(path);
    try {
      return open();
    } finally {
      check(libc.setns(own, CLONE_NEWNET), 'setns', OWN_NAMESPACE);
    }
  } finally {
    libc.close(own);
  }
}
