/**
 * One end of a TCP load, in its node's namespace: `serve PORT [RATE]` sends to whoever connects, `fetch ADDRESS PORT`
 * connects and reads. The latter prints a line of JSON ten times a second: `{"at": Unix ms, "bytes": so far}`, and a last
 * one with `"ended"` should the connection end.
 */
import { connect, createServer, type Socket } from 'node:net';

const CHUNK = Buffer.alloc(64 << 10);
const REPORT_INTERVAL_MS = 100;
const CONNECT_INTERVAL_MS = 200;
const PACE_INTERVAL_MS = 10;

function serve(port: number, bitsPerSecond: number | undefined): void {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (bitsPerSecond === undefined) sendAlways(socket);
    else pace(socket, bitsPerSecond / 8 / 1000);
  }).listen(port, '::');
}

function sendAlways(socket: Socket): void {
  const fill = () => {
    while (socket.write(CHUNK));
  };
  socket.on('drain', fill);
  fill();
}

function pace(socket: Socket, bytesPerMs: number): void {
  const startedAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const owed = Math.floor((performance.now() - startedAt) * bytesPerMs) - sent;
    // A connection that stalls does not pile up what it could not send.
    if (owed <= 0 || socket.writableNeedDrain) return;
    const piece = CHUNK.subarray(0, Math.min(owed, CHUNK.length));
    sent += piece.length;
    socket.write(piece);
  }, PACE_INTERVAL_MS);
  socket.on('close', () => clearInterval(timer));
}

function fetchFrom(address: string, port: number): void {
  let bytes = 0;
  let connected = false;
  const say = (ended?: string) => process.stdout.write(`${JSON.stringify({ at: Date.now(), bytes, ended })}\n`);
  const socket = connect(port, address);
  const timer = setInterval(() => connected && say(), REPORT_INTERVAL_MS);
  let reason = 'closed by the other end';
  socket
    .on('connect', () => (connected = true))
    .on('data', (chunk: Buffer) => (bytes += chunk.length))
    .on('error', (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message))
    .on('close', () => {
      clearInterval(timer);
      if (connected) say(reason);
      // The other end, or the way there, is not ready yet.
      else setTimeout(() => fetchFrom(address, port), CONNECT_INTERVAL_MS);
    });
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'serve') serve(Number(rest[0]), rest[1] === undefined ? undefined : Number(rest[1]));
else fetchFrom(rest[0], Number(rest[1]));
