import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { once } from 'node:events';
import { lstatSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { API_PATHS, type FailureDocument, type StatusDocument } from '../api/index.ts';
import { WiremeshError } from '../error.ts';
import { makeDirectory } from './make-directory.ts';

/** The API socket cannot be opened. */
export class ApiSocketError extends WiremeshError {
  readonly code = 'API_SOCKET';
}

/** What the API lets its owner see and do. */
export interface ApiTarget {
  status(): Promise<StatusDocument>;
  /** Takes the mesh down; resolves when everything but the API itself is let go. */
  down(): Promise<void>;
}

export interface ApiServer {
  close(): Promise<void>;
}

function createApi(target: ApiTarget): Hono {
  const app = new Hono();
  app.get(API_PATHS.status, async (context) => context.json(await target.status()));
  app.post(API_PATHS.down, async (context) => {
    await target.down();
    return context.json({});
  });
  app.notFound((context) =>
    context.json(failure('NOT_FOUND', `no such path: ${context.req.method} ${context.req.path}`), 404),
  );
  app.onError((error, context) => context.json(failure('INTERNAL', error.message), 500));
  return app;
}

function failure(code: string, message: string): FailureDocument {
  return { code, message };
}

/** @throws ApiSocketError if a daemon answers at `path`, or something else than a socket is there. Changes nothing. */
async function checkApiSocket(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false) {
    throw new ApiSocketError(`${path} is there and is not a socket: choose another with --socket`);
  }
  if (await isAnswered(path)) {
    throw new ApiSocketError(
      `a wiremesh daemon runs already on ${path}: stop it with "wiremesh down", or choose another --interface`,
    );
  }
}

/** Serves the API on a Unix socket that only its owner may open. A socket nobody answers at is a dead daemon's. */
export async function serveApi(path: string, target: ApiTarget): Promise<ApiServer> {
  await checkApiSocket(path);
  const answer = getRequestListener(createApi(target).fetch);
  const server = createServer((request, response) => void answer(request, response));
  try {
    makeDirectory(dirname(path), 0o755);
    rmSync(path, { force: true });
    // The socket comes into being with its mode: chmod afterwards would leave a moment in which all may connect.
    const umask = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(umask);
    }
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ApiSocketError(`the API socket ${path} cannot be opened (${code}): choose another with --socket`);
  }
  return {
    async close() {
      const closed = once(server, 'close');
      // Answers on their way are sent; idle connections end.
      server.close();
      await closed;
    },
  };
}

async function isAnswered(path: string): Promise<boolean> {
  const connection = connect(path);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}
