import { formatEndpoint, isLinkLocal, type Endpoint } from '../inet/index.ts';
import type { Notice } from '../mesh/index.ts';
import { nodeLabel } from '../printable.ts';
import type { EventWords } from './event-words.ts';

/** What a notice does not hold and its words need. */
export interface NoticeContext {
  readonly meshName: string;
  readonly nodeId: string;
  readonly port: number;
  /** The links that beacons go out on. */
  readonly links: readonly { readonly index: number; readonly name: string }[];
}

/** Why a network stays silent, in words, and what to do about it. */
export function describeNotice(notice: Notice, context: NoticeContext): EventWords {
  const { meshName, nodeId, port, links } = context;
  switch (notice.kind) {
    case 'deaf':
      return {
        level: 'warn',
        words: `this node does not hear its own beacons on ${linkName(notice.link, context)}: a firewall of this host drops UDP port 7077, let it in`,
      };
    case 'unanswered':
      return {
        level: 'warn',
        words: `a node ${place(notice.from, context)} is heard and does not answer: a firewall there drops UDP port ${notice.from.port}, or one on the way drops port ${port}; let both in`,
      };
    case 'foreign-mesh':
      return {
        level: 'warn',
        words: `nodes of another mesh are heard, ${counted(notice, context)}: if they should be nodes of "${meshName}", compare the names ("mesh" in the configuration)`,
      };
    case 'foreign-version':
      return {
        level: 'warn',
        words: `nodes with another version of wiremesh are heard, ${counted(notice, context)}: they and this one ignore each other until all have the same`,
      };
    case 'refused':
      return {
        level: 'warn',
        words: `${nodeLabel(notice)} answers, but builds no tunnel: it does not trust this node (there, add "--pin ${nodeId}"), or its clock or ours is wrong`,
      };
    case 'alone':
      return {
        level: 'info',
        words: `no other node is heard yet on ${links.map(({ name }) => name).join(', ')}: if there should be one, see that it runs, that its mesh is "${meshName}", and that nothing between drops UDP port 7077; elsewhere than on these links, name one with --bootstrap`,
      };
  }
}

function counted({ senders, from }: { senders: number; from: Endpoint }, context: NoticeContext): string {
  const others = senders > 1 ? ` and at ${senders - 1} more ${senders === 2 ? 'address' : 'addresses'}` : '';
  return `${place(from, context)}${others}`;
}

function place(endpoint: Endpoint, context: NoticeContext): string {
  if (!isLinkLocal(endpoint.address)) return `at ${formatEndpoint(endpoint)}`;
  const address = formatEndpoint({ ...endpoint, scopeId: 0 });
  return `at ${address} on ${linkName(endpoint.scopeId, context)}`;
}

function linkName(index: number, { links }: NoticeContext): string {
  return links.find((link) => link.index === index)?.name ?? `interface ${index}`;
}
