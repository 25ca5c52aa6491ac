import { formatEndpoint, type Endpoint } from '../inet/index.ts';
import type { BootstrapState } from '../mesh/index.ts';

/** What has become of a bootstrap endpoint, and what to do about it. */
export function describeBootstrap(
  endpoint: Endpoint,
  state: BootstrapState,
  mesh: string,
): { level: 'info' | 'warn'; words: string } {
  const name = `bootstrap ${formatEndpoint(endpoint)}`;
  switch (state) {
    case 'silent':
      return {
        level: 'warn',
        words:
          `${name} does not answer: check the address and port, that "wiremesh status" there says mesh "${mesh}", and ` +
          `that no firewall on the way drops UDP port ${endpoint.port}; it is called again and again`,
      };
    case 'self':
      return { level: 'warn', words: `${name} is this node itself: name another one` };
    case 'called':
    case 'answers':
      return { level: 'info', words: `${name} answers` };
  }
}
