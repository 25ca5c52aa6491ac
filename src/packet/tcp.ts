/** Where the fields of a TCP header lie, in bytes (RFC 9293 §3.1). */
export const TCP = {
  ports: 0,
  sequence: 4,
  acknowledgment: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgent: 18,
  end: 20,
} as const;

export const FIN = 0x01;
export const PSH = 0x08;
export const ACK = 0x10;
export const ECE = 0x40;
export const CWR = 0x80;
