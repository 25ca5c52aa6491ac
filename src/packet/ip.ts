/** Where the fields of an IPv4 header lie, in bytes (RFC 791 §3.1). */
export const IPV4 = {
  versionAndLength: 0,
  typeOfService: 1,
  totalLength: 2,
  identification: 4,
  flagsAndOffset: 6,
  timeToLive: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  end: 20,
} as const;

/** Where the fields of an IPv6 header lie, in bytes (RFC 8200 §3). */
export const IPV6 = { payloadLength: 4, nextHeader: 6, hopLimit: 7, source: 8, destination: 24, end: 40 } as const;

/** "Don't fragment" in the 16 bits at `flagsAndOffset`. */
export const DONT_FRAGMENT = 0x4000;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ICMPV6 = 58;
