/** Watches the links of a lab as a stranger with access to the cables would. */
import {
  inNamespace,
  listLinks,
  namespacePath,
  NativeBuffer,
  PacketSocket,
  watchReadable,
} from '../src/linux/index.ts';
import { classifyFrame, FRAME_KINDS, type FrameKind } from './frames.ts';
import { LabError } from './lab-error.ts';
import type { Link } from './topology.ts';
import { interfaceTo, namespaceName } from './underlay.ts';

/** veth passes trains of segments on uncut: frames are as long as an IP packet can be. */
const LONGEST_FRAME = 14 + 65_575;

export class Capture {
  /** How many frames of each kind were seen; a frame that travels over two links is seen twice. */
  readonly counts = Object.fromEntries(FRAME_KINDS.map((kind) => [kind, 0])) as Record<FrameKind, number>;
  readonly #sought: readonly Buffer[];
  readonly #sightings: number[];
  readonly #buffer = new NativeBuffer(LONGEST_FRAME);
  readonly #open: { close(): void }[] = [];

  /** Starts on every link of the lab; each of `sought` is looked for in every frame. */
  static start(lab: string, links: readonly Link[], sought: readonly Buffer[]): Capture {
    const capture = new Capture(sought);
    try {
      // One end of a link sees both directions.
      for (const [a, b] of links) capture.#watch(namespaceName(lab, a), interfaceTo(b));
      return capture;
    } catch (error) {
      capture.close();
      throw error;
    }
  }

  private constructor(sought: readonly Buffer[]) {
    this.#sought = sought;
    this.#sightings = sought.map(() => 0);
  }

  /** In how many frames the `index`th of the sought was seen. */
  sightings(index: number): number {
    return this.#sightings[index];
  }

  close(): void {
    for (const opened of this.#open.splice(0).reverse()) opened.close();
  }

  #watch(namespace: string, name: string): void {
    const socket = inNamespace(namespacePath(namespace), () => {
      const link = listLinks().find((candidate) => candidate.name === name);
      if (link === undefined) throw new LabError(`${namespace} has no link ${name}: was the lab changed by hand?`);
      return new PacketSocket(link);
    });
    this.#open.push(socket);
    this.#open.push(watchReadable(socket.fd, () => this.#drain(socket)));
  }

  #drain(socket: PacketSocket): void {
    for (let length = socket.read(this.#buffer); length > 0; length = socket.read(this.#buffer)) {
      const frame = Buffer.from(this.#buffer.bytes.buffer, this.#buffer.bytes.byteOffset, length);
      this.counts[classifyFrame(frame)]++;
      for (const [i, pattern] of this.#sought.entries()) if (frame.includes(pattern)) this.#sightings[i]++;
    }
  }
}
