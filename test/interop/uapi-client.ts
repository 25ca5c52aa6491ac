/** A client of UAPI that says exactly what it is told to: `wg` says nothing that is wrong. */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

export function uapiPath(interfaceName: string): string {
  return `/var/run/wireguard/${interfaceName}.sock`;
}

export async function connectUapi(interfaceName: string): Promise<Socket> {
  const socket = createConnection({ path: uapiPath(interfaceName), allowHalfOpen: true });
  await once(socket, 'connect');
  // A server that hangs up on what it has not read resets the connection, behind its answer.
  socket.on('error', () => {});
  return socket;
}

/** Says `text`, closes its own side of the connection, and reads to the end. */
export async function converse(interfaceName: string, text: string | Uint8Array): Promise<string> {
  const socket = await connectUapi(interfaceName);
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  socket.once('end', () => socket.destroy());
  socket.end(text);
  if (!socket.closed) await once(socket, 'close');
  return heard;
}
