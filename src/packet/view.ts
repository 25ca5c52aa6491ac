let first: { readonly bytes: Uint8Array; readonly view: DataView } | undefined;
let second: typeof first;

/**
 * A view of `bytes`. The last two are remembered: the data path works on two buffers, and asks for each packet.
 */
export function viewOf(bytes: Uint8Array): DataView {
  if (first?.bytes === bytes) return first.view;
  if (second?.bytes === bytes) return second.view;
  second = first;
  first = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  return first.view;
}
