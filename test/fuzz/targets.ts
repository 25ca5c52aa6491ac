import { babelPacketTarget, babelSpeakerTarget } from './babel-targets.ts';
import { deviceTarget } from './device-target.ts';
import { innerPacketTarget } from './inner-packet-target.ts';
import { descriptionContentTarget, descriptionTarget, meshMessageTarget, meshNodeTarget } from './mesh-targets.ts';
import { messageTarget } from './message-target.ts';
import { coalescerTarget, ecnTarget, segmenterTarget, unreachableTarget } from './packet-targets.ts';
import { relayTarget } from './relay-target.ts';
import type { Target } from './target.ts';
import { hostNameTarget } from './text-target.ts';
import { uapiConversationTarget, uapiSetTarget } from './uapi-targets.ts';

/** Everything that strangers' bytes reach. */
export const targets: readonly Target[] = [
  messageTarget,
  deviceTarget(),
  innerPacketTarget(),
  segmenterTarget(),
  coalescerTarget(),
  ecnTarget,
  unreachableTarget(),
  relayTarget(),
  uapiSetTarget(),
  uapiConversationTarget,
  meshMessageTarget,
  descriptionTarget,
  descriptionContentTarget,
  meshNodeTarget,
  hostNameTarget,
  babelPacketTarget,
  babelSpeakerTarget,
];
