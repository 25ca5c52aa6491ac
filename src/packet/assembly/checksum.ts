/**
 * The Internet checksum (RFC 1071) with 128-bit vectors, in AssemblyScript: for what is compiled to WebAssembly, see
 * ../checksum-module.ts. Works on little-endian words, whose sum is the big-endian one with its bytes swapped (§2B).
 */

/** The one's complement sum of `length` bytes from `from`, as one big-endian word. An odd last byte is padded with zero. */
export function sum(from: usize, length: usize): u32 {
  const end = from + length;
  // Two sums, so that one addition need not wait for the other. Lanes hold 32 bits, and 64 KiB fill no more than 30.
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  for (; from + 64 <= end; from += 64) {
    even = i32x4.add(even, pairs(v128.load(from)));
    odd = i32x4.add(odd, pairs(v128.load(from, 16)));
    even = i32x4.add(even, pairs(v128.load(from, 32)));
    odd = i32x4.add(odd, pairs(v128.load(from, 48)));
  }
  for (; from + 16 <= end; from += 16) even = i32x4.add(even, pairs(v128.load(from)));
  return folded(i32x4.add(even, odd), wordByWord(from, end));
}

/** Copies `length` bytes to other memory. @returns their sum */
export function copyAndSum(to: usize, from: usize, length: usize): u32 {
  const end = from + length;
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  for (; from + 64 <= end; from += 64, to += 64) {
    const first = v128.load(from);
    const second = v128.load(from, 16);
    const third = v128.load(from, 32);
    const fourth = v128.load(from, 48);
    v128.store(to, first);
    v128.store(to, second, 16);
    v128.store(to, third, 32);
    v128.store(to, fourth, 48);
    even = i32x4.add(even, pairs(first));
    odd = i32x4.add(odd, pairs(second));
    even = i32x4.add(even, pairs(third));
    odd = i32x4.add(odd, pairs(fourth));
  }
  for (; from + 16 <= end; from += 16, to += 16) {
    const words = v128.load(from);
    v128.store(to, words);
    even = i32x4.add(even, pairs(words));
  }
  const tail = wordByWord(from, end);
  for (; from < end; from++, to++) store<u8>(to, load<u8>(from));
  return folded(i32x4.add(even, odd), tail);
}

/** Eight words, added up two by two. */
@inline
function pairs(words: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_u(words);
}

@inline
function wordByWord(from: usize, end: usize): u64 {
  let sum: u64 = 0;
  for (; from + 1 < end; from += 2) sum += load<u16>(from);
  if (from < end) sum += load<u8>(from);
  return sum;
}

@inline
function folded(lanes: v128, tail: u64): u32 {
  let sum =
    tail +
    <u64>(<u32>i32x4.extract_lane(lanes, 0)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 1)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 2)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 3));
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return <u32>(((sum & 0xff) << 8) | (sum >> 8));
}
