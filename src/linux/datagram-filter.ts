import {
  exit,
  loadByte,
  loadField,
  loadProgram,
  move,
  set,
  skip,
  skipIfEqual,
  skipIfGreater,
  type Instruction,
} from './bpf.ts';
import { NativeBuffer } from './native-buffer.ts';
import { check, libc } from './syscall.ts';

/** What a datagram begins with; `undefined` stands for any byte. */
export type DatagramForm = readonly (number | undefined)[];

const SOL_SOCKET = 1;
const SO_ATTACH_BPF = 50;

const CONTEXT = 6;
/** In `struct __sk_buff`: how many datagrams the kernel has put together; 0 or 1 for one alone. */
const GSO_SEGMENTS = 164;
/** A UDP socket's filter sees the header, too. */
const UDP_HEADER_BYTES = 8;
const ALL = 0x7fff_ffff;

export function hasForm(datagram: Uint8Array, form: DatagramForm): boolean {
  return form.every((byte, i) => (byte === undefined ? i < datagram.length : datagram[i] === byte));
}

/**
 * Has the kernel drop, before they take room in the queue, datagrams that have none of some forms: which costs a fraction of
 * reading them. Trains (`UDP_GRO`) pass whatever they begin with: who is able to put a datagram of
 * his before those of others must not be able to have theirs dropped with it. The reader has to look at each in any case.
 */
export class DatagramFilter {
  readonly #fd: number;

  /** @throws SystemCallError without CAP_BPF or CAP_SYS_ADMIN, and where the kernel has no BPF or is older than Linux 5.1 */
  constructor(forms: readonly DatagramForm[]) {
    this.#fd = loadProgram(program(forms), 'the filter of datagrams');
  }

  /** @throws SystemCallError */
  attach({ fd, port }: { readonly fd: number; readonly port: number }): void {
    const argument = new NativeBuffer(4);
    argument.view.setInt32(0, this.#fd, true);
    check(libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, argument.address, 4), 'setsockopt', `UDP port ${port}`);
  }

  /** Sockets that it is attached to keep it. */
  close(): void {
    libc.close(this.#fd);
  }
}

function program(forms: readonly DatagramForm[]): readonly Instruction[] {
  // A load from behind the end of a packet ends the program with a refusal, so the short forms come first.
  const byLength = [...forms].sort((a, b) => a.length - b.length);
  return [
    move(CONTEXT, 1),
    loadField(CONTEXT, GSO_SEGMENTS),
    skipIfGreater(
      0,
      1,
      byLength.reduce((sum, form) => sum + matcher(form).length, 2),
    ),
    ...byLength.flatMap(matcher),
    set(0, 0),
    exit,
    set(0, ALL),
    exit,
  ];
}

/** Ends the program with acceptance, or goes on behind. */
function matcher(form: DatagramForm): readonly Instruction[] {
  const known = form.flatMap((byte, i) => (byte === undefined ? [] : [{ byte, i }]));
  const length = 3 * known.length + 2;
  return [
    ...known.flatMap(({ byte, i }, n) => [
      loadByte(UDP_HEADER_BYTES + i),
      skipIfEqual(0, byte, 1),
      skip(length - 3 * (n + 1)),
    ]),
    set(0, ALL),
    exit,
  ];
}
